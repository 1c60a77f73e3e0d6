"""One rollout: everything needed to continue it from a ledger item alone, on any machine, after any crash."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from pydantic import TypeAdapter

from slipway.contract.routes import plan_matches
from slipway.delivery.model.analysis import MOST, Measurement
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.fitness import Rehearsed
from slipway.delivery.model.release import Revision
from slipway.delivery.model.route import Route, Routes
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.model.word import Word


class Kind(StrEnum):
    """What the rollout is for; each kind has its own route through the phases."""

    RELEASE = "release"
    """A release goes up in the idle colour and takes the traffic step by step."""
    ROLLBACK = "rollback"
    """An older release goes up in the idle colour and takes the traffic at once."""
    SWITCH = "switch"
    """Traffic goes back at once to the old colour, which is still warm."""
    REHEARSAL = "rehearsal"
    """Traffic goes to the old colour and comes back again: the way back is tried and timed. What is live stays live."""
    RETIRE = "retire"
    """The warm old colour goes away."""
    CONTRACT = "contract"
    """The warm old colour goes away, then the contract migrations run."""


class Phase(StrEnum):
    """Where a rollout is. One phase at a time; there are no flags beside it. `machine.RULES` says what each one does."""

    MIGRATING = "migrating"
    DEPLOYING = "deploying"
    WAITING = "waiting-for-targets"
    SMOKING = "smoke-testing"
    SIZING = "sizing"
    """Pods for the coming step. Until then the traffic is, and is judged, as in the bake before."""
    SHIFTING = "shifting"
    BAKING = "baking"
    VERIFYING = "verifying"
    SETTLING = "settling"
    RETIRING = "retiring"
    CONTRACTING = "contracting"
    COMPLETED = "completed"
    RETURNING = "returning-traffic"
    CLEANING = "cleaning-up"
    ROLLED_BACK = "rolled-back"

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self in {Phase.COMPLETED, Phase.ROLLED_BACK}


ROUTES: Mapping[Kind, tuple[Phase, ...]] = {
    Kind.RELEASE: (
        Phase.MIGRATING,
        Phase.DEPLOYING,
        Phase.WAITING,
        Phase.SMOKING,
        Phase.SIZING,
        Phase.SHIFTING,
        Phase.BAKING,
        Phase.VERIFYING,
        Phase.SETTLING,
        Phase.COMPLETED,
    ),
    Kind.ROLLBACK: (
        Phase.DEPLOYING,
        Phase.WAITING,
        Phase.SMOKING,
        Phase.SHIFTING,
        Phase.BAKING,
        Phase.VERIFYING,
        Phase.SETTLING,
        Phase.COMPLETED,
    ),
    Kind.SWITCH: (Phase.WAITING, Phase.SHIFTING, Phase.SETTLING, Phase.COMPLETED),
    Kind.REHEARSAL: (
        Phase.WAITING,
        Phase.SIZING,
        Phase.SHIFTING,
        Phase.VERIFYING,
        Phase.RETURNING,
        Phase.CLEANING,
        Phase.COMPLETED,
    ),
    Kind.RETIRE: (Phase.RETIRING, Phase.COMPLETED),
    Kind.CONTRACT: (Phase.RETIRING, Phase.CONTRACTING, Phase.COMPLETED),
}


class Reason(StrEnum):
    """Why a rollout turned back; NONE while it goes forward."""

    NONE = ""
    ERRORS_ABOVE_LIMIT = "errors-above-limit"
    LATENCY_ABOVE_LIMIT = "latency-above-limit"
    PROBE_FAILED = "probe-failed"
    ANALYSIS_FAILED = "analysis-failed"
    NO_DATA = "no-data"
    TARGETS_UNHEALTHY = "targets-unhealthy"
    SMOKE_TEST_FAILED = "smoke-test-failed"
    CAPACITY_MISSING = "capacity-missing"
    MIGRATION_FAILED = "migration-failed"
    DEPLOYMENT_FAILED = "deployment-failed"
    WEIGHTS_NOT_CONFIRMED = "weights-not-confirmed"
    WORLD_UNREADABLE = "world-unreadable"
    TRAFFIC_UNEXPLAINED = "traffic-unexplained"
    NOT_APPROVED = "not-approved"
    ABORTED = "aborted"
    REJECTED_UPSTREAM = "rejected-upstream"
    SUPERSEDED = "superseded"
    """Another release came before it was through. That says nothing about this one."""


RETRIED = frozenset(
    {
        Reason.DEPLOYMENT_FAILED,
        Reason.MIGRATION_FAILED,
        Reason.WEIGHTS_NOT_CONFIRMED,
        Reason.WORLD_UNREADABLE,
        Reason.NO_DATA,
    }
)
"""An act failed, or nothing could be seen. None of them says that the release is bad."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One share of traffic and what must hold before the next one."""

    percent: int
    """The candidate's share of the live traffic."""
    bake_seconds: float
    analyse: bool
    """False: only the targets' health is watched while it bakes."""
    approval: bool = False
    """A person lets the traffic go to this step."""


@dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """One line of a rollout's journal, written before and after everything that changes the world."""

    at: datetime
    phase: Phase
    event: str
    """`entered`, `started`, `finished`, `failed`, `retried`, `resumed`, `forced`."""
    text: str


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The whole state of a rollout. `machine.decide` reads nothing else but what it is shown of the world."""

    id: str
    kind: Kind
    environment: str
    service: str
    actor: str
    started_at: datetime
    colour: Colour
    """The colour that shall get the traffic (or, to retire: the one that goes away)."""
    candidate: ColourRelease | None
    """What `colour` shall run; None when it goes away."""
    original: Wanted
    """The wanted state at the start: where a failed rollout brings the traffic back to."""
    steps: tuple[Step, ...]
    settings: RolloutSettings
    migrations: tuple[Revision, ...] = ()
    """Migrations that this rollout runs, oldest first."""
    promoted_from: str | None = None
    """The environment it was promoted from; None: it was released here."""
    forced: tuple[str, ...] = ()
    """Gates that were overridden by hand, with what each one said, and why it was overridden."""
    phase: Phase
    phase_started_at: datetime
    path: tuple[Phase, ...] = ()
    """Every phase entered so far, in order."""
    step: int = 0
    baking_since: datetime | None = None
    extensions: int = 0
    """How often the bake of this step was extended for want of evidence."""
    waiting_since: datetime | None = None
    """Since when the present owner waits for the world to follow: deadlines count from here. None: since the phase began."""
    pause: Word | None = None
    """Who holds the traffic where it is; None: nobody."""
    paused_since: datetime | None = None
    """Since when it holds, by the clock of whoever runs the rollout."""
    paused_seconds: float = 0.0
    """How long this step's bake was held before; the bake takes that much longer."""
    frozen: str = ""
    """What the freeze windows say that hold the next step back; "": none does."""
    asked_since: datetime | None = None
    """Since when the next step waits for an approval, the time of pauses taken out; None: it does not."""
    approvals: Mapping[int, Word] = field(default_factory=dict[int, Word])
    """By step, counted from 0."""
    skipped: Mapping[int, Word] = field(default_factory=dict[int, Word])
    """Bakes that a person ended early, by their number."""
    reason: Reason = Reason.NONE
    reason_text: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    """The measurements that decided against the release."""
    retried: int = 0
    """So often it has begun again by itself."""
    failed_before: str = ""
    """Why the attempt before this one failed; "": this is the first one."""
    measurements: tuple[Measurement, ...] = ()
    """What the judgements were made from, oldest first, thinned; see `analysis.measuring`."""
    timings: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds per phase, and `detect` and `weights_back` of a rollback; `way_back` of a rehearsal, whose way forward is `weights_back`."""
    journal: tuple[JournalEntry, ...] = ()
    ended_at: datetime | None = None
    fence: int = 0
    """Of the lease under which it was driven last; 0: written by an earlier version."""

    @property
    def weights(self) -> Weights:
        """The weights of the current step."""
        return Weights.towards(self.colour, self.steps[self.step].percent)

    @property
    def bake_ends_at(self) -> datetime:
        """When the current step has baked for whole periods of the metric store, its delay included.

        An extension counts from when it was given.
        """
        if self.baking_since is None:
            raise ValueError(f"rollout {self.id} is {self.phase} and does not bake")
        step = self.steps[self.step]
        period = self.settings.metric_period_seconds if step.analyse else 0
        if self.extensions:
            return self.attended_since + timedelta(
                seconds=max(step.bake_seconds, self.settings.analysis_interval_seconds)
            )
        delay = self.settings.delay_seconds if step.analyse else 0
        baking = max(math.ceil(step.bake_seconds / period), 1) * period if period else step.bake_seconds
        return next_period(self.baking_since, period) + timedelta(seconds=baking + delay + self.paused_seconds)

    @property
    def bake(self) -> int:
        """The number of the present bake, or of the last one: a step bakes again when its weights were moved meanwhile."""
        return self.path.count(Phase.BAKING)

    @property
    def coming_step(self) -> int:
        """The step that the traffic moves to next."""
        first = self.phase is Phase.SIZING and self.baking_since is None
        return self.step if first or self.phase is Phase.SHIFTING else self.step + 1

    @property
    def waits_for(self) -> str:
        """Which person's word it waits for, and the command to say it, or for which freeze window to end; "": none."""
        if self.pause:
            return f"paused {self.pause.signature}; `slipway continue {self.environment}` ends that"
        if self.frozen:
            return f"{self.frozen}; the traffic stays where it is until then"
        if self.asked_since is None:
            return ""
        since = f"since {self.asked_since:%Y-%m-%d %H:%M} UTC"
        return (
            f"{self.steps[self.coming_step].percent} % waits for approval {since}: `slipway approve {self.environment}`"
        )

    @property
    def attended_since(self) -> datetime:
        """The moment that deadlines count from. Time in which no process ran is not in it."""
        return self.waiting_since or self.phase_started_at

    @property
    def may_retry(self) -> bool:
        """Whether it is turning back for something that failed, and may begin again once that is done."""
        turning = self.phase in {Phase.RETURNING, Phase.CLEANING}
        again = self.reason in RETRIED and self.retried < self.settings.retries
        return turning and again and self.kind is Kind.RELEASE  # a way back, and what is owed, are a person's to repeat

    @property
    def attempt(self) -> str:
        """Which attempt it is, and why there was one before; "": it is the first one."""
        of = f"attempt {self.retried + 1} of {self.settings.retries + 1}"
        return f"{of}; the one before failed: {self.failed_before}" if self.retried else ""

    @property
    def attempt_path(self) -> tuple[Phase, ...]:
        """The phases of this attempt, in order."""
        first = ROUTES[self.kind][0]
        began = [number for number, phase in enumerate(self.path) if phase is first]
        return self.path[began[-1] :] if began else self.path

    @property
    def rehearsed(self) -> Rehearsed | None:
        """What a rehearsal has measured; None: it is none, has not ended well, or was cut short."""
        live, timings = self.original.colour(self.original.live or self.colour), self.timings
        ended = self.kind is Kind.REHEARSAL and self.phase is Phase.COMPLETED
        if not ended or "way_back" not in timings or live is None or self.candidate is None:
            return None
        return Rehearsed(
            release=live.release,
            to=self.candidate.release,
            by=self.actor,
            at=self.ended_at or self.phase_started_at,
            back_seconds=timings["way_back"],
            forward_seconds=timings["weights_back"],
        )

    @property
    def explained(self) -> frozenset[Weights]:
        """Every weights that this rollout may have left at the load balancer."""
        steps = (Weights.towards(self.colour, step.percent) for step in self.steps)
        return frozenset({self.original.weights, *steps})

    @property
    def routes(self) -> Routes:
        """What leads to its candidate while that is tried. A way back is not tried: it takes the traffic at once."""
        matches = plan_matches(self.settings.routes) if self.kind is Kind.RELEASE else ()
        return frozenset(Route(match=match, colour=self.colour) for match in matches)

    @property
    def was_shown(self) -> bool:
        """Whether its colour may have answered users: by its share of the traffic, or by the routes to it."""
        return Phase.SHIFTING in self.path or (bool(self.routes) and Phase.SIZING in self.path)

    @property
    def next_phase(self) -> Phase:
        """The phase that follows on this kind's route."""
        route = ROUTES[self.kind]
        return route[route.index(self.phase) + 1]


def next_period(at: datetime, seconds: float) -> datetime:
    """Where the next period begins, if none begins just now."""
    return at + timedelta(seconds=-at.timestamp() % seconds) if seconds else at


def last_period(at: datetime, seconds: float) -> datetime:
    """Where the present period began."""
    return at - timedelta(seconds=at.timestamp() % seconds) if seconds else at


@cache
def _adapter() -> TypeAdapter[Rollout]:
    return TypeAdapter(Rollout)


def dump_rollout(rollout: Rollout) -> str:
    """The rollout as JSON text."""
    return _adapter().dump_json(rollout).decode()


def load_rollout(document: str) -> Rollout:
    """The reverse of `dump_rollout`; ValueError on anything else."""
    rollout = _adapter().validate_json(document)
    count = len(rollout.steps)
    named = {*([rollout.step] if rollout.steps else []), *(each.step for each in rollout.measurements)}
    wrong = [step for step in named if not 0 <= step < count]
    if wrong:
        raise ValueError(f"step {wrong[0]} is none of the rollout's {count}")
    if strange := [each.stretch for each in rollout.measurements if not 0 <= each.stretch < MOST]:
        raise ValueError(f"no bake has a stretch of the number {strange[0]}")
    return rollout
