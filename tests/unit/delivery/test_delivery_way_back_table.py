"""`rollback` from every phase of every strategy: weights within three seconds, and everybody told how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from slipway import delivery
from slipway.delivery.events import Event, PeopleAsked, PhaseEntered, RolloutStarted
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import ROUTES, Kind, Phase, Rollout
from slipway.delivery.testing.processes import KilledError, Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from tests.unit.delivery.interrupting import OLD

OWNER, PERSON = 11, 12
SECONDS = 3.0
APPROVAL = {"percent": 100, "approval": True}
STEPS = {"canary": [50, 100], "linear": [50], "blue-green": [100], "all-at-once": [100]}
WAITING = {"canary": [50, APPROVAL], "linear": [{"percent": 50, "approval": True}], "blue-green": [APPROVAL]}
MOMENTS = [*(phase.value for phase in (*ROUTES[Kind.RELEASE], Phase.RETURNING, Phase.CLEANING)), "paused", "asked"]


def table() -> Iterator[tuple[str, str, str, str]]:
    """What does not depend on the strategy is tried with the first one."""
    for strategy in STEPS:
        usual = strategy == "canary"
        moments = [moment for moment in MOMENTS if moment != "asked" or strategy in WAITING]
        owners = ("alive", "dead", "silent") if usual else ("alive", "dead")
        stacks = ("works", "fails", "is locked") if usual else ("works", "fails")
        yield from product([strategy], moments, owners, stacks)


class Scene:
    """1.0.0 is live, and the process that releases 2.0.0 has come to a moment: it is busy there for long, or dead."""

    def __init__(self, strategy: str, moment: str, owner: str, stack: str) -> None:
        self.clock = SharedClock()
        self.rehearsal = Rehearsal(clock=self.clock)
        steps = WAITING[strategy] if moment == "asked" else STEPS[strategy]
        self.dev = self.rehearsal.environment(
            "dev", strategy=strategy, steps=steps, bakeSeconds=30, analysisIntervalSeconds=10
        )
        self.rehearsal.check_out("1.0.0")
        delivery.release(self.rehearsal.context("dev"))
        if moment in {Phase.RETURNING, Phase.CLEANING}:
            bad = Behaviour(smoke_fault="503") if strategy == "all-at-once" else Behaviour(error_ratio=0.5)
            self.dev.behaviour["2.0.0"] = bad
        self.rehearsal.check_out("2.0.0")
        self.moment, self.stack, self.alive, self.came = moment, stack, owner == "alive", False
        self.process = Process(OWNER)
        ctx = inhabited(self.rehearsal.context("dev", pid=OWNER), self.clock)
        self.clock.start(self.process, lambda: delivery.release(replace(ctx, progress=self.heard)))
        while not self.came:
            self.clock.sleep(0.05)
        if owner == "dead":
            self.rehearsal.dead.add(OWNER)

    def heard(self, event: Event) -> None:
        if self.came or not self.comes(event):
            return
        self.came = True
        self.dev.up_fault = "pods do not start" if self.stack == "fails" else ""
        self.dev.locked = self.stack == "is locked"
        if not self.alive:
            self.process.dead = True
            raise KilledError
        self.clock.sleep(20)

    def comes(self, event: Event) -> bool:
        if self.moment == "asked":
            return isinstance(event, PeopleAsked)
        if isinstance(event, PeopleAsked):
            return self.moment == "paused"
        if not isinstance(event, (PhaseEntered, RolloutStarted)):
            return False
        if self.moment == "paused" and event.rollout.phase is Phase.DEPLOYING:
            delivery.pause(self.rehearsal.context("dev", pid=PERSON))
        return event.rollout.phase.value == self.moment

    def ended(self) -> list[Rollout]:
        return [*self.rehearsal.ledger.history(self.dev.place, 9)]


@pytest.mark.parametrize(("strategy", "moment", "owner", "stack"), [*table()])
def test_rollback_has_the_traffic_back_within_three_seconds_from_every_phase(
    strategy: str, moment: str, owner: str, stack: str
) -> None:
    """argo-rollouts#4461, and all its siblings."""
    scene = Scene(strategy, moment, owner, stack)
    clock, dev, ledger = scene.clock, scene.dev, scene.rehearsal.ledger
    began = clock.monotonic()
    person = clock.start(
        Process(PERSON), lambda: delivery.rollback(inhabited(scene.rehearsal.context("dev", pid=PERSON), clock))
    )
    while dev.weights != OLD or ledger.wanted(dev.place).weights != OLD or clock.monotonic() == began:
        clock.sleep(0.05)
        dev.settle_weights()
        assert clock.monotonic() - began <= SECONDS
    clock.run_until()
    assert person.error is None
    assert (dev.weights, dev.harm, ledger.wanted(dev.place).live) == (OLD, [], Colour.GREEN)
    ended = scene.ended()
    released = next(each for each in ended if each.candidate and each.candidate.version == "2.0.0")
    assert person.answer.status == ("rolled-back" if released.reason else "completed")
    if scene.alive:
        told = isinstance(scene.process.error, delivery.ReleaseRolledBackError)
        assert (told, bool(scene.process.answer)) == (bool(released.reason), not released.reason)
    for name, phase in (("completed", Phase.COMPLETED), ("aborted", Phase.ROLLED_BACK)):
        assert dev.notifications.count(f"on-rollout-{name}") == sum(each.phase is phase for each in ended)
    dev.up_fault, dev.locked, dev.behaviour = "", False, {}
    scene.rehearsal.check_out("3.0.0")
    dev.rollout = {**dev.rollout, "steps": STEPS[strategy]}
    assert delivery.release(scene.rehearsal.context("dev")).status == "completed"
    assert list(ledger.owed(dev.place)) == []
