"""The runner: observe, decide, act, journal, until the rollout has ended.

The journal is written before and after everything that changes the world, and with every phase. A process that dies between two writes
leaves a rollout that the next one continues by observing: nothing is remembered only in memory. Before anything is changed the ledger
is asked whether the lease is still ours: a process that slept meanwhile changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from slipway.delivery.analysis.judge import judge
from slipway.delivery.analysis.measuring import measure, with_measurement
from slipway.delivery.converging import bring_stack_up
from slipway.delivery.drift import refuse_used
from slipway.delivery.ending import keep_ended
from slipway.delivery.errors import LeaseLostError, NotBegunError
from slipway.delivery.events import (
    ActionStarted,
    Analysed,
    Event,
    EventFacts,
    LogLine,
    PeopleAsked,
    PhaseEntered,
    RolloutGivenUp,
    RolloutRetried,
    RolloutStarted,
    Waiting,
    WeightsConfirmed,
)
from slipway.delivery.filling import owe
from slipway.delivery.gates.facts import WAYS_BACK
from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.machine import (
    CONFIRM_SECONDS,
    POLL_SECONDS,
    after_failure,
    decide,
    fold,
    turns_back,
)
from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.decision import (
    UNOBSERVABLE,
    Act,
    Action,
    Converge,
    Enter,
    KeepPods,
    Migrate,
    MoveWeights,
    PointTestRoute,
    SetRoutes,
    SmokeTest,
    WriteWanted,
)
from slipway.delivery.model.observation import Verdict
from slipway.delivery.model.rollout import JournalEntry, Kind, Phase, Reason, Rollout
from slipway.delivery.model.route import say_routes
from slipway.delivery.model.schema import Schema
from slipway.delivery.notifications import facts_of, notification_names
from slipway.delivery.observing import is_called, observe
from slipway.delivery.ports import Context, World
from slipway.delivery.sizing import judged
from slipway.delivery.telling import facts, tell, title_of
from slipway.delivery.transitions import attend, take_up
from slipway.errors import OperationError, SlipwayError

Answer = TypeVar("Answer")

READ_ATTEMPTS = 5
"""A look at the world that fails so often in a row counts as failed."""
REPEAT_SECONDS = 2.0
"""A change that the world does not follow is asked for again this often."""
PERSISTENCE_SECONDS = 900.0
"""How long one process tries to bring traffic back when the APIs of the load balancer or the ledger fail."""
UNATTENDED_SECONDS = 30.0
"""Longer asleep than meant, or longer for a look, and nobody was there: a suspended process, a hanging API. Deadlines begin anew."""
LISTEN_SECONDS = 0.5
"""A wait is looked up from this often: somebody may ask for the way back."""


class Runner:
    """Drives one rollout in one world, under one lease."""

    def __init__(
        self, ctx: Context, world: World, keeper: LeaseKeeper, *, persistence_seconds: float = PERSISTENCE_SECONDS
    ) -> None:
        self._ctx = ctx
        self._persistence = timedelta(seconds=persistence_seconds)
        self._world = world
        self._keeper = keeper
        self._last_action: Action | None = None
        self._failures = 0
        self._begun = False
        """The ledger has the rollout; until then no other verb knows of it."""
        self._asked: Weights | None = None
        self._last_acted_at = self._acting_since = self._looked_at = self._awake_at = ctx.clock.now()

    def run(self, rollout: Rollout, *, resumed: bool = False) -> Rollout:
        """Drive `rollout` to its end. OperationError when a phase that does not turn back fails: repeat with `resume`."""
        self._looked_at = self._awake_at = self._ctx.clock.now()
        self._begun = resumed
        if resumed:
            rollout = take_up(rollout, self._looked_at)
        rollout = self._journal(
            replace(rollout, fence=self._keeper.lease.fence),
            "resumed" if resumed else "entered",
            f"{rollout.kind} by {self._ctx.owner.name}",
        )
        self._begun = True
        self._emit(RolloutStarted(**self._base(title_of(rollout)), rollout=rollout, resumed=resumed))
        while not rollout.phase.ended:
            self._keeper.check()
            rollout = self._step(rollout)
        self._emit(self._insist(rollout, lambda: keep_ended(self._ctx, self._keeper, rollout)))
        return rollout

    def _step(self, rollout: Rollout) -> Rollout:
        try:
            rollout, verdict = self._judge(rollout)
            seen = self._patiently(lambda: observe(self._ctx, self._world, rollout, verdict, self._asked))
        except LeaseLostError:
            raise
        except SlipwayError as error:
            return self._turn_or_raise(rollout, error, Reason.WORLD_UNREADABLE)
        now = self._ctx.clock.now()
        if self._was_away(now):
            rollout = attend(rollout, now)
            self._acting_since = now
        self._looked_at = self._awake_at = now
        decision = decide(rollout, seen, now)
        if not isinstance(decision, Act):
            self._acting_since = now  # the world has followed so far
        if isinstance(decision, Enter):
            return self._enter(rollout, decision.rollout, verdict, decision.text)
        if isinstance(decision, Act):
            return self._act(rollout, decision.action)
        seconds = max(decision.seconds, self._ctx.cadence.poll_seconds)
        self._emit(Waiting(**self._base(decision.text), rollout=rollout, seconds=seconds))
        self._wait(rollout, seconds)
        return rollout

    def _wait(self, rollout: Rollout, seconds: float) -> None:
        """Sleep, and stop sleeping when the way back is asked for."""
        while seconds > 0:
            nap = min(seconds, LISTEN_SECONDS)
            self._ctx.clock.sleep(nap)
            seconds -= nap
            now = self._ctx.clock.now()
            if not self._was_away(now):
                self._awake_at = now
            try:
                if seconds > 0 and is_called(self._ctx, rollout):
                    return
            except SlipwayError:
                continue  # the next look at the world says what is wrong, and has the patience for it

    def _was_away(self, now: datetime) -> bool:
        return now > self._awake_at + timedelta(seconds=UNATTENDED_SECONDS)

    def _enter(self, old: Rollout, new: Rollout, verdict: Verdict | None, text: str = "") -> Rollout:
        self._last_action = None
        if text:
            return self._tell_waiting(new, text)
        text = (
            f"{new.reason}: {new.reason_text}" if new.phase is Phase.RETURNING and new.reason else f"after {old.phase}"
        )
        again = new.retried > old.retried
        if again:
            text = f"begins again: {new.attempt}"
        elif old.phase is new.phase:
            text = f"the bake is extended for want of evidence ({new.extensions} of {new.settings.max_extensions})"
        if verdict and new.phase is not Phase.RETURNING:
            text = f"{text}: {verdict.kind}: {verdict.text}"  # what a step passed on is said, above all where it was little
        if new.phase.ended:
            self._owe(new)
        written = self._journal(new, "retried" if again else "entered", text)
        if old.phase is Phase.SHIFTING and new.phase is not Phase.RETURNING:
            self._emit(
                WeightsConfirmed(
                    **self._base(f"load balancer confirms {new.weights}"), rollout=written, weights=new.weights
                )
            )
        entered = RolloutRetried if again else PhaseEntered
        self._emit(entered(**self._base(text), rollout=written, phase=new.phase))
        return written

    def _tell_waiting(self, rollout: Rollout, text: str) -> Rollout:
        """People have said something, or are asked to."""
        written = self._journal(rollout, "asked" if rollout.waits_for else "heard", text)
        self._emit(PeopleAsked(**self._base(text), rollout=written))
        return written

    def _owe(self, ended: Rollout) -> None:
        """Before the end is written, so that no crash loses what is left to do."""
        self._insist(ended, lambda: owe(self._ctx, self._keeper, ended))

    def _act(self, rollout: Rollout, action: Action) -> Rollout:
        now = self._ctx.clock.now()
        again = action == self._last_action
        if again:
            # The world has not followed yet: neither the journal nor the API gains from being asked in a tight loop.
            if isinstance(action, SetRoutes) and turns_back(rollout) and self._asks_in_vain(CONFIRM_SECONDS):
                error = OperationError(f"the load balancer did not keep {say_routes(action.routes)}")
                return self._turn_or_raise(rollout, error, Reason.WEIGHTS_NOT_CONFIRMED)
            self._refuse_stalled(rollout, action)
            self._ctx.clock.sleep(self._ctx.cadence.poll_seconds)
            if now < self._last_acted_at + timedelta(seconds=REPEAT_SECONDS):
                return rollout
        else:
            self._failures, self._acting_since = 0, now
            rollout = self._journal(rollout, "started", action.text)
            self._emit(ActionStarted(**self._base(action.text), rollout=rollout))
        self._last_acted_at = now
        self._last_action = action
        try:
            self._perform(rollout, action)
        except LeaseLostError:
            raise
        except SlipwayError as error:
            self._failures += 1
            unneeded = isinstance(action, KeepPods) and rollout.kind is Kind.ROLLBACK
            if unneeded or (not isinstance(action, UNOBSERVABLE) and self._failures < READ_ATTEMPTS):
                # Only the answer may be lost: the next look says whether it was done.
                tell(self._ctx, f"could not {action.text}: {error.what}; asking again")
                return rollout
            if isinstance(action, MoveWeights) and _may_be_back(rollout):
                rollout = attend(rollout, now)  # its deadline is for a change that was taken, and is not confirmed
            reason = Reason.WEIGHTS_NOT_CONFIRMED if isinstance(action, SetRoutes) else None
            return self._turn_or_raise(rollout, error, reason, tells=isinstance(action, UNOBSERVABLE))
        self._failures = 0
        done = fold(rollout, action, self._ctx.clock.now())
        if done.phase is not rollout.phase:
            return self._enter(rollout, done, None)
        return done if again else self._journal(done, "finished", action.text)

    def _refuse_stalled(self, rollout: Rollout, action: Action) -> None:
        seconds = self._persistence.total_seconds()
        if not self._asks_in_vain(seconds):
            return
        raise self._give_up(
            rollout, f"tried for {seconds:g} s to {action.text}, and the load balancer does not confirm it"
        )

    def _asks_in_vain(self, seconds: float) -> bool:
        """Whether the same was asked for that long. Each answer may have been yes, which begins the rollout's deadlines anew."""
        return self._ctx.clock.now() >= self._acting_since + timedelta(seconds=seconds)

    def _turn_or_raise(
        self, rollout: Rollout, error: SlipwayError, reason: Reason | None, *, tells: bool = False
    ) -> Rollout:
        """`tells`: what failed says something of the release. Where an API does not answer, nothing turns a way back round."""
        now = self._ctx.clock.now()
        if not tells and self._persists(rollout, now):
            self._ctx.clock.sleep(max(1.0, self._ctx.cadence.poll_seconds))
            return rollout
        turned = after_failure(rollout, error.what, now, reason) if tells or not _may_be_back(rollout) else None
        if turned is not None:
            self._last_action = None
            written = self._journal(turned, "failed", f"{turned.reason}: {error.what}")
            self._emit(
                PhaseEntered(**self._base(f"{turned.reason}: {error.what}"), rollout=written, phase=written.phase)
            )
            return written
        self._journal(rollout, "failed", error.what)
        raise self._give_up(rollout, error.what) from error

    def _persists(self, rollout: Rollout, now: datetime) -> bool:
        """Users are on a bad release: giving up because a few API calls failed would leave them there, or bring them there again."""
        shown = rollout.phase is Phase.RETURNING or (rollout.phase is Phase.CLEANING and bool(rollout.routes))
        back = rollout.kind is Kind.SWITCH or _may_be_back(rollout)
        return (shown or back) and now < max(rollout.attended_since, self._looked_at) + self._persistence

    def _give_up(self, rollout: Rollout, text: str) -> OperationError:
        """What to raise. The rollout stays as it is, and everybody who wants to know is told."""
        environment = self._ctx.place.environment
        remedy = (
            f"correct it, then `slipway resume {environment}` continues from here; "
            f"`slipway abandon {environment}` ends the rollout as it is"
        )
        if not self._begun:
            remedy = "nothing was moved: correct it, then give the same command again"
        self._emit(RolloutGivenUp(**self._base(f"{rollout.phase}: {text}"), rollout=rollout))
        return OperationError(
            f"{rollout.phase} failed: {text}",
            where=str(self._ctx.place),
            remedy=remedy,
        )

    def _perform(self, rollout: Rollout, action: Action) -> None:
        ctx, world = self._ctx, self._world
        self._stubbornly(rollout, self._keeper.confirm)
        if isinstance(action, WriteWanted):
            ctx.ledger.write_wanted(ctx.place, action.wanted, self._keeper.lease)
        elif isinstance(action, MoveWeights):
            world.balancer.move(action.weights)
            self._asked = action.weights
        elif isinstance(action, KeepPods):
            world.cluster.keep(action.colour, action.pods)
        elif isinstance(action, PointTestRoute):
            world.balancer.point_test(action.colour)
        elif isinstance(action, SetRoutes):
            world.balancer.set_routes(action.routes)
        elif isinstance(action, Converge):
            if rollout.kind is Kind.RELEASE and rollout.phase is Phase.DEPLOYING and rollout.candidate:
                # Where nothing had to be migrated, nothing has made them yet; on the way back they are there.
                world.cluster.make_users(rollout.candidate, self._log("roles"))
            bring_stack_up(ctx, self._keeper, before=lambda: refuse_used(ctx, world.balancer, rollout.colour))
        elif isinstance(action, Migrate):
            self._migrate(rollout, action)
        else:
            self._smoke(rollout, action)

    def _migrate(self, rollout: Rollout, action: Migrate) -> None:
        running = rollout.candidate or rollout.original.colour(rollout.colour.other)
        if running is None:
            raise OperationError("no release runs here whose migrations could be run", where=str(self._ctx.place))
        before = self._patiently(lambda: self._ctx.ledger.schema(self._ctx.place))
        begun = before.with_begun(action.revisions)
        if rollout.kind is Kind.CONTRACT:  # a release's own run only where nothing is live that could come back
            self._write_schema(begun)
        try:
            self._world.cluster.migrate(running, action.revisions, self._log("migration"))
        except NotBegunError:
            if rollout.kind is Kind.CONTRACT:
                self._write_schema(before)
            raise
        self._write_schema(begun.with_applied(action.revisions))

    def _write_schema(self, schema: Schema) -> None:
        ledger, place = self._ctx.ledger, self._ctx.place
        self._patiently(lambda: ledger.write_schema(place, schema, self._keeper.lease))

    def _log(self, source: str) -> Callable[[str], None]:
        """What passes on the lines of a log."""
        return lambda line: self._emit(LogLine(**self._base(line), source=source))

    def _smoke(self, rollout: Rollout, action: SmokeTest) -> None:
        if rollout.candidate is None:
            return
        deadline = rollout.settings.smoke_seconds
        self._world.probe.smoke(
            live=action.live, colour=rollout.colour, release=rollout.candidate.release, deadline_seconds=deadline
        )

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        for attempt in range(READ_ATTEMPTS):
            try:
                return ask()
            except LeaseLostError:
                raise
            except SlipwayError:
                if attempt == READ_ATTEMPTS - 1:
                    raise
                self._ctx.clock.sleep(max(POLL_SECONDS * 2**attempt, self._ctx.cadence.poll_seconds))
        raise AssertionError("unreachable")

    def _stubbornly(self, rollout: Rollout, ask: Callable[[], Answer]) -> Answer:
        while True:
            try:
                return self._patiently(ask)
            except LeaseLostError:
                raise
            except SlipwayError:
                if not self._persists(rollout, self._ctx.clock.now()):
                    raise

    def _insist(self, rollout: Rollout, ask: Callable[[], Answer]) -> Answer:
        """What the ledger answers. A process that ends for want of it leaves the traffic where it is, so that is told."""
        try:
            return self._stubbornly(rollout, ask)
        except LeaseLostError:
            raise
        except SlipwayError as error:
            raise self._give_up(rollout, error.what) from error

    def _judge(self, rollout: Rollout) -> tuple[Rollout, Verdict | None]:
        """Measure the step so far, keep that with the rollout, and judge it."""
        if not judged(rollout, self._ctx.clock.now()):
            return rollout, None
        measurement = measure(rollout, self._world.metrics, self._ctx.clock.now(), self._world.analyst)
        if measurement is None:
            return rollout, Verdict(kind=VerdictKind.NO_DATA, text="the step has just begun", reason=Reason.NO_DATA)
        verdict = judge((*rollout.measurements, measurement), rollout.settings, rollout.steps)
        measured = with_measurement(rollout, replace(measurement, verdict=verdict.kind))
        self._patiently(lambda: self._ctx.ledger.write_rollout(self._ctx.place, measured, self._keeper.lease))
        self._emit(Analysed(**self._base(f"{verdict.kind}: {verdict.text}"), rollout=measured, numbers=verdict.numbers))
        return measured, verdict

    def _journal(self, rollout: Rollout, event: str, text: str) -> Rollout:
        entry = JournalEntry(at=self._ctx.clock.now(), phase=rollout.phase, event=event, text=text)
        written = replace(rollout, journal=(*rollout.journal, entry))
        self._insist(written, lambda: self._ctx.ledger.write_rollout(self._ctx.place, written, self._keeper.lease))
        return written

    def _base(self, text: str) -> EventFacts:
        return facts(self._ctx, text)

    def _emit(self, event: Event) -> None:
        self._ctx.progress(event)
        for name in notification_names(event):
            self._world.notifier.notify(name, event, facts_of(event))
        if isinstance(event, (PeopleAsked, RolloutRetried)):
            # It goes forward, for hours maybe: what was kept while the traffic went back is sent.
            self._world.notifier.flush()


def _may_be_back(rollout: Rollout) -> bool:
    """Whether a way back may have brought users to the older release: only that release itself, or a person, moves them away again."""
    return rollout.kind in WAYS_BACK and Phase.SHIFTING in rollout.path
