"""Random histories: verbs by several owners at once, killed and suspended at any call, in a world that fails and is changed by others.

A history is its seed: the same seed plays the same history. A few are played by the unit tests, 2,000 by the integration tests, and
as many as asked by `make bench`. A process is not suspended between the check of its lease and the change that it guards: no client of
a load balancer can exclude that, and `resume` repairs it.
"""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from slipway import delivery
from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.events import Waiting
from slipway.delivery.gates.facts import WAYS_BACK
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.fitness import digest_of
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.testing.clock import EndlessError
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour, SimulatedEnvironment
from slipway.errors import OperationError, SlipwayError

BACK_SECONDS = 8.0
"""From `rollback` to weights at the load balancer, which may forget, answer late and follow late; 3 s where it does not."""
EXPAND = Revision(id="0001", phase=MigrationPhase.EXPAND)
CONTRACT = Revision(id="0002", phase=MigrationPhase.CONTRACT)
SETTINGS = {
    "steps": [50, 100],
    "bakeSeconds": 2,
    "metricWindowSeconds": 2,
    "maxErrorRatio": 0.2,
    "minimumRequests": 1,
    "rollbackWindowSeconds": 60,
    "healthSeconds": 20,
    "sizeSeconds": 20,
}
FORWARD = (*["release"] * 7, "resume", "retire", "contract", "up", "pause", "continue_")
LATER = ("skip", "supersede")
REHEARSING = frozenset({8, 9})
"""Tens of the seeds with rehearsals, and ways back in the middle of them; the others play what they always played."""
MOST_SECONDS = 40_000.0
"""No history lasts longer by its clock: the waits of its verbs are 1,000 s each at most, and those of what is tried again are bounded."""
RETRYING = frozenset({3, 5, 8, 9})
"""Last digits of the seeds whose releases are tried again by themselves; the others play what they always played."""
ROUTES = [{"header": {"name": "X-Canary", "value": "always"}}, {"cookie": {"name": "canary", "value": "1"}}]
ROUTED = 3
"""Seeds with this rest of a division by five have `rollout.routes`; the others play what they always played."""
WATCHED = {"release", "resume", "rollback", "rehearse"}
SAID = {"pause", "continue_", "skip"}
BACK = ("rollback", "rollback", "rollback", "abort", "abandon")


@dataclass
class History:
    """One company, and what is done to it."""

    seed: int
    told: list[str] = field(default_factory=list[str])
    pid: int = 10
    versions: int = 0
    moved: tuple[float, Rollout | None] | None = None
    """When somebody last moved traffic by hand, and the rollout of then."""
    ways_back: int = 0
    """So many were asked for and timed."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.side = random.Random(f"side {self.seed}") if self.seed % 2 else None
        """For verbs that came later: the even seeds play what they always played."""
        self.luck = random.Random(f"luck {self.seed}") if self.seed % 10 in RETRYING else None
        self.drill = random.Random(f"drill {self.seed}") if self.seed // 10 % 10 in REHEARSING else None
        self.editor = random.Random(f"editor {self.seed}") if self.seed % 3 == 0 else None
        """Changes the pods' settings in the stack file; every other `up` meets them, too."""
        retries = 1 + self.seed % 2 if self.luck else 0
        before = [self.draw_revisions() for _ in range(2)]
        self.versions = len(before)
        routed = self.seed % 5 == ROUTED
        self.rehearsal: Rehearsal = pickle.loads(_found(retries, routed, *before))  # noqa: S301 - our own
        self.dev: SimulatedEnvironment = self.rehearsal.environment("dev")
        assert isinstance(self.rehearsal.clock, SharedClock)
        self.clock: SharedClock = self.rehearsal.clock
        if self.seed % 2:  # five pods are needed, and the stack file says two
            self.dev.pods.requests_per_pod, self.dev.pods.maximum, self.dev.pods.autoscaler_seconds = 10, 12, 0
            self.clock.sleep(1)
            self.dev.pass_time()
            self.clock.sleep(5)

    def check_out(self) -> None:
        self.versions += 1
        self.rehearsal.check_out(f"{self.versions}.0.0", revisions=self.draw_revisions())

    def draw_revisions(self) -> Sequence[Revision] | None:
        """A new version's migrations; None: those of the version before."""
        return (EXPAND, CONTRACT) if self.dice.random() < 0.3 else None

    def start(self, verb: str, dice: random.Random | None = None) -> Process:
        """A verb by a process of its own, which may be killed, or sleep for a while, at any of its calls."""
        self.pid += 1
        if verb == "supersede" or (verb == "release" and self.dice.random() < 0.8):
            self.check_out()
        dice, process = dice or self.dice, Process(self.pid)
        if dice.random() < 0.6 and verb not in BACK and verb not in SAID:
            checks = dice.random() < 0.4  # of the lease, just before a change
            process.fuse_calls = frozenset({"lease"} if checks else ())
            process.fuse = dice.randrange(12 if checks else 140)
            process.nap_seconds = dice.choice([0, 4, 40, 400])
        skew = dice.choice([0, 0, 90, -3600])
        ctx = self.rehearsal.context("dev", pid=process.pid, lease_wait_seconds=dice.choice([0, 40, 100]))
        ctx = inhabited(ctx, self.clock, skew_seconds=skew)
        verbs: dict[str, Any] = {
            "supersede": lambda: delivery.release(ctx, supersede=True),
            "skip": lambda: delivery.skip(ctx, because="drill"),
            "retire": lambda: delivery.retire(ctx, force=dice.random() < 0.5, because="drill"),
            "contract": lambda: delivery.contract(ctx, force=dice.random() < 0.5, because="drill"),
            "up": lambda: (delivery.refuse_moved_traffic(ctx), ctx.stack.up()),
        }
        self.told.append(f"{self.clock.monotonic():.1f} {process.pid} {verb} {process.fuse} {process.nap_seconds}")
        work = verbs.get(verb, lambda: getattr(delivery, verb)(ctx))
        return self.clock.start(process, (lambda: self.watched(work, process)) if verb in WATCHED else work)

    def watched(self, work: Any, process: Process) -> Any:
        """A verb that succeeds leaves the load balancer as the ledger says, unless somebody else is at work.

        What is moved by hand while it sleeps, and others have ended its rollout, it does not see.
        """
        began, answer = self.clock.monotonic(), work()
        dev = self.dev
        dev.settle_weights()
        rollout, wanted = self.rehearsal.ledger.rollout(dev.place), self.rehearsal.ledger.wanted(dev.place)
        alone = self.nobody_works() and not dev.locked and rollout and rollout.phase.ended
        unseen = self.moved and self.moved[0] > began and self.moved[1] == rollout
        if alone and not unseen and dev.weights != wanted.weights:
            dev.harm.append(f"{process.pid} leaves {dev.weights} where {wanted.weights} is wanted")
        if alone and dev.routes:
            dev.harm.append(f"{process.pid} leaves routes to a colour, and no release is tried")
        return answer

    def worsen(self) -> None:
        """The world does something of its own."""
        dice, dev = self.dice, self.dev
        dev.up_fault = "quota exceeded" if dice.random() < 0.2 else ""
        dev.migration_fault = "null values" if dice.random() < 0.3 else ""
        dev.forgotten_moves = int(dice.random() < 0.2)
        dev.answer_seconds = dice.choice([0, 0, 0, 0.3])
        dev.up_seconds = dice.choice([1, 1, 10, 90])
        dev.weight_lag_seconds = dice.choice([0.1, 0.4, 1.0])
        if self.luck:
            dev.forgotten_routes = self.luck.choice([0, 0, 1, 6])
            dev.failing_ups, dev.failing_migrations = self.luck.choice([0, 1, 1, 2]), self.luck.choice([0, 0, 1])
        if dice.random() < 0.3:
            self.check_out()
            live = [release.release for release, _ in dev.running.values()]
            dev.behaviour = dict.fromkeys(live, Behaviour()) | self.bad_ones()
        if self.editor and self.editor.random() < 0.5:
            memory = self.editor.choice([64, 192, 512])
            dev.settings = ColourSettings(template=f'{{"memory": "{memory}Mi"}}', secrets=self.editor.choice("ab"))
        if dice.random() < 0.1 and self.nobody_works():
            dev.weights = Weights.towards(dice.choice(sorted(dev.running)), 100) if dev.running else dev.weights
            self.moved = (self.clock.monotonic(), self.rehearsal.ledger.rollout(dev.place))
        self.told.append(f"{self.clock.monotonic():.1f} world: {dev.weights} up {dev.up_fault!r} {dev.answer_seconds}")

    def bad_ones(self) -> dict[str, Behaviour]:
        known = self.rehearsal.ledger.releases("orders")
        return {item.id: Behaviour(error_ratio=0.5) for item in known if self.dice.random() < 0.1}

    def nobody_works(self) -> bool:
        return self.rehearsal.ledger.lease(self.dev.place) is None

    def may_come_back(self, warm: ColourRelease) -> bool:
        """Nobody rejected it, its pods are there, and the last way back to it did not fail: a rollback passes over such a release.

        With whatever settings that was: an `up` that failed half-way says not which ones the pods have.
        """
        dev, newest = self.dev, self.rehearsal.ledger.rollout(self.dev.place)
        ended = [*([newest] if newest else []), *self.rehearsal.ledger.history(dev.place, 50)]  # by its owner's clock
        last = next((past for past in ended if past.candidate and past.candidate.release == warm.release), None)
        if last and last.reason and last.kind in WAYS_BACK:
            return False
        here = self.rehearsal.ledger.fitness(dev.place, digest_of(warm.image))
        return warm in [release for release, _ in dev.running.values()] and not (here and here.rejects(warm.release))

    def way_back(self, verb: str) -> None:
        """A person asks for the way back, whatever others are doing; the traffic leaves the newest release soon."""
        ledger, dev = self.rehearsal.ledger, self.dev
        rollout, wanted = ledger.rollout(dev.place), ledger.wanted(dev.place)
        under_way = rollout if rollout and not rollout.phase.ended else None
        warm = wanted.colour(wanted.idle)
        untried = [item for item in ledger.owed(dev.place) if item.debt is Debt.UP and not item.attempts]
        if rollout and rollout.reason and (dev.locked or untried):
            warm = None  # the `up` of what was turned back is under way, or to come, and may replace it
        lease = ledger.lease(dev.place)
        if rollout and rollout.reason and lease and lease.fence == rollout.fence:
            warm = None  # whoever has turned it back may be at work still: it has happened, unless somebody says how far to go
        leaving = under_way.colour if under_way and under_way.kind is Kind.RELEASE else wanted.live
        possible = verb == "rollback" and (
            (under_way and under_way.kind is Kind.RELEASE and under_way.phase is not Phase.SETTLING)
            or (
                under_way
                and under_way.kind is Kind.REHEARSAL
                and not under_way.reason
                and warm
                and dev.healthy(wanted.idle)
            )
            or (not under_way and warm and self.may_come_back(warm) and dev.healthy(wanted.idle))
        )
        expected = possible and leaving
        began = self.clock.monotonic()
        process = self.start(verb)
        while expected and leaving and not process.ended and self.clock.monotonic() < began + BACK_SECONDS:
            self.clock.sleep(0.1)
            dev.settle_weights()
            if dev.weights.of(leaving) == 0:
                self.ways_back += 1
                return
        # A release that was about to begin was turned back instead, or a `retire` that was at work has taken the warm colour away.
        newest = ledger.rollout(dev.place)
        retired = newest and not under_way and newest.original.colour(wanted.idle) != wanted.colour(wanted.idle)
        turned = newest and newest.reason is Reason.ABORTED and newest.id != (rollout and rollout.id)
        assert not expected or not leaving or turned or retired or dev.weights.of(leaving) == 0, (
            f"{verb}: {process.error!r}"
        )

    def rehearse(self, dice: random.Random) -> None:
        """The way back is tried, mostly when nobody else is at work, and others may come in the middle of it."""
        for verb in dice.choice([(), ("resume",), ("release",), ("resume", "release")]):
            self.clock.sleep(dice.choice([5, 30, 120]))
            self.start(verb, dice).fuse = None
        self.clock.sleep(dice.choice([0, 30, 120, 400]))
        process = self.start("rehearse", dice)
        if dice.random() < 0.4:
            process.fuse, process.fuse_calls = dice.randrange(15, 90), frozenset()
            process.nap_seconds = dice.choice([0, 0, 4, 40])
        self.clock.sleep(dice.choice([0.2, 0.5, 1.0, 1.5, 2.5, 4]))
        if dice.random() < 0.5:
            self.way_back(dice.choice(BACK))

    def live_through(self) -> None:
        """A few verbs, one after the other and at once."""
        self.worsen()
        self.start("release")
        self.clock.sleep(self.dice.uniform(0.5, 14))
        for _ in range(self.dice.randrange(1, 5)):
            if self.dice.random() < 0.7:
                self.worsen()
            if self.dice.random() < 0.45:
                self.way_back(self.dice.choice(BACK))
            else:
                self.start(self.dice.choice(FORWARD))
            if self.drill and self.drill.random() < 0.6:
                self.rehearse(self.drill)
            if self.side and self.side.random() < 0.4:
                self.start(self.side.choice(LATER), self.side)
            self.clock.sleep(self.dice.choice([1, 3, 5, 7, 9, 11, 13, 70, 1000]))

    def recover(self) -> None:
        """The world is well again, and everybody who was at work has ended."""
        dev = self.dev
        dev.up_fault = dev.migration_fault = ""
        dev.failing_ups = dev.failing_migrations = dev.forgotten_routes = 0
        dev.forgotten_moves, dev.answer_seconds, dev.up_seconds, dev.behaviour = 0, 0.0, 1.0, {}
        with contextlib.suppress(SlipwayError):
            delivery.continue_(self.rehearsal.context("dev", pid=5))  # nobody waits for a pause for ever
        self.clock.run_until()
        self.rehearsal.dead |= {*range(self.pid + 1)}
        self.check_out()
        for verb in (delivery.resume, delivery.release):
            try:
                outcome = verb(inhabited(self.rehearsal.context("dev", pid=5), self.clock))
            except (delivery.ReleaseRolledBackError, OperationError):
                assert verb is delivery.resume
            else:
                assert verb is delivery.resume or outcome.status == "completed"


@cache
def _found(retries: int, routed: bool, *versions: Sequence[Revision] | None) -> bytes:
    """A company whose versions, by their migrations, were released one after the other. Chance has no part in it: seeds share it."""
    rehearsal = Rehearsal(clock=SharedClock(most_seconds=MOST_SECONDS))
    rehearsal.environment("dev", **SETTINGS, retries=retries, routes=ROUTES if routed else [])
    for number, revisions in enumerate(versions, start=1):
        rehearsal.check_out(f"{number}.0.0", revisions=revisions)
        delivery.release(rehearsal.context("dev"))
    rehearsal.events.clear()
    return pickle.dumps(rehearsal)


def play(seed: int) -> History:
    """One history; AssertionError names the seed, and what was harmed, or what was waited for without an end."""
    try:
        return _play(History(seed))
    except (AssertionError, SlipwayError, ValueError, EndlessError) as error:
        raise AssertionError(f"seed {seed}: {error}") from error


def _play(history: History) -> History:
    try:
        history.live_through()
        history.recover()
    except EndlessError as error:
        told = [event.text for event in history.rehearsal.events]
        waited = [event.text for event in history.rehearsal.events if isinstance(event, Waiting)]
        raise AssertionError(f"{error}; last wait: {waited[-1:]}; last told: {told[-1:]}") from error
    dev, ledger = history.dev, history.rehearsal.ledger
    assert not dev.harm, dev.harm
    assert [item for item in ledger.owed(dev.place) if item.debt is not Debt.CONTRACT] == []
    wanted = ledger.wanted(dev.place)
    assert dev.weights == wanted.weights == Weights.towards(wanted.live or wanted.idle, 100)
    assert not dev.routes
    assert ledger.lease(dev.place) is None
    return history
