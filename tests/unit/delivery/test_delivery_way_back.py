"""The way back from everywhere, what is owed, and who may move traffic. Each case was a public bug report of a tool like this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import ActionStarted, Event, PhaseEntered, StillOwed
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.rollout import ROUTES, Kind, Phase, Rollout
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import SimulatedEnvironment
from slipway.delivery.way_back import grace_seconds
from slipway.errors import OperationError, SlipwayError
from tests.unit.delivery.interrupting import (
    CONTRACT,
    EXPAND,
    NEW,
    OLD,
    check_out_bad,
    company,
    left_in,
    seconds_until,
    watch_weights,
)

FORWARD = ROUTES[Kind.RELEASE][:-1]


@pytest.mark.parametrize("gap_seconds", [10, 61, 901, 90_000])
@pytest.mark.parametrize("phase", FORWARD)
def test_interrupted_release_goes_on_however_long_nobody_was_there(phase: Phase, gap_seconds: float) -> None:
    """argo-rollouts#1624 and #3414: a deadline counts only time in which something could progress."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, phase)
    rehearsal.clock.sleep(gap_seconds)
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert rehearsal.environment("dev").weights == NEW


@pytest.mark.parametrize("gap_seconds", [61, 901])
def test_interrupted_rollback_is_not_undone(gap_seconds: float) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    left_in(rehearsal, Phase.SHIFTING, delivery.rollback)
    rehearsal.clock.sleep(gap_seconds)
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert rehearsal.environment("dev").weights == OLD


def test_way_back_that_nobody_was_there_for_is_tried_as_long_as_a_new_one() -> None:
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)
    left_in(rehearsal, Phase.RETURNING)
    rehearsal.clock.sleep(2000)
    dev = rehearsal.environment("dev")
    ask, failures = dev.ask_weights, iter(["throttled"] * 3)

    def throttled(weights: Weights) -> None:
        if fault := next(failures, ""):
            raise OperationError(fault)
        ask(weights)

    dev.ask_weights = throttled  # type: ignore[method-assign]
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.resume(rehearsal.context("dev"))
    assert dev.weights == OLD


def test_process_that_was_suspended_gives_the_world_its_time_again() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    dev = rehearsal.environment("dev")
    moves = iter(["suspended"])

    def ask(weights: Weights) -> None:
        dev.weight_lag_seconds = 30
        SimulatedEnvironment.ask_weights(dev, weights)
        if next(moves, ""):
            rehearsal.clock.sleep(20)
            rehearsal.clock.sleep(70)

    dev.forgotten_moves, dev.ask_weights = 1, ask  # type: ignore[method-assign]
    assert delivery.release(rehearsal.context("dev")).status == "completed"


@pytest.mark.parametrize("phase", [*FORWARD, Phase.RETURNING, Phase.CLEANING])
def test_rollback_to_a_release_does_not_go_on_with_the_dead_one_first(phase: Phase) -> None:
    """`rollback --to` beside a dead release went on to 100 % first. Without `--to`: the table of ways back."""
    rehearsal = company("1.0.0")
    dev, first = rehearsal.environment("dev"), rehearsal.ledger.releases("orders")[0].id
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5 if phase in {Phase.RETURNING, Phase.CLEANING} else 0)
    left_in(rehearsal, phase)
    rehearsal.clock.sleep(300)
    began, seen = rehearsal.clock.now(), watch_weights(dev)
    outcome = delivery.rollback(rehearsal.context("dev"), first, because="complaints")
    assert outcome.status in {"rolled-back", "completed"}
    assert seconds_until([(began, dev.weights) if not seen else seen[0], *seen], began, OLD) <= 3
    assert (dev.weights, dev.harm, rehearsal.ledger.wanted(dev.place).live) == (OLD, [], Colour.GREEN)


@pytest.mark.parametrize("back", [delivery.abort, delivery.abandon])
@pytest.mark.parametrize("phase", FORWARD[:-2])
def test_rollout_is_turned_back_as_quickly_while_the_owner_lives(phase: Phase, back: Callable[..., Any]) -> None:
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev", steps=[50, 100], bakeSeconds=30, analysisIntervalSeconds=10)
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version, revisions=[EXPAND])
        if version == "1.0.0":
            delivery.release(rehearsal.context("dev"))
    dev.up_seconds = 90
    owner = clock.start(Process(11), lambda: delivery.release(inhabited(rehearsal.context("dev", pid=11), clock)))
    while (
        (rollout := rehearsal.ledger.rollout(dev.place)) is None
        or rollout.candidate is None
        or (rollout.candidate.version == "1.0.0" or (rollout.phase is not phase and phase not in rollout.path))
    ):
        clock.sleep(0.05)
    began = clock.monotonic()
    person = clock.start(Process(12), lambda: back(inhabited(rehearsal.context("dev", pid=12), clock)))
    while not person.ended and (clock.monotonic() == began or dev.weights != OLD):
        clock.sleep(0.05)
        dev.settle_weights()
    assert (dev.weights, clock.monotonic() - began <= 3) == (OLD, True)
    clock.run_until()
    assert (owner.ended, person.error, dev.weights, dev.harm) == (True, None, OLD, [])
    assert rehearsal.ledger.wanted(dev.place).live is Colour.GREEN


@pytest.mark.parametrize("back", [delivery.rollback, delivery.abort])
@pytest.mark.parametrize("phase", [Phase.MIGRATING, Phase.DEPLOYING, Phase.SMOKING, Phase.VERIFYING])
def test_nobody_waits_for_an_owner_that_hears_nothing(phase: Phase, back: Callable[..., Any]) -> None:
    """It is at one long act. A second and a half went by before it was stopped."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev", steps=[50, 100], bakeSeconds=30, analysisIntervalSeconds=10)
    rehearsal.check_out("1.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("2.0.0", revisions=[EXPAND, replace(EXPAND, id="0002")])
    dev.up_seconds = dev.migration_seconds = dev.smoke_seconds = 90

    def rollout() -> Rollout:
        found = rehearsal.ledger.rollout(dev.place)
        assert found
        return found

    owner = clock.start(Process(11), lambda: delivery.release(inhabited(rehearsal.context("dev", pid=11), clock)))
    while rollout().candidate is None or rollout().candidate.version == "1.0.0" or rollout().phase is not phase:
        clock.sleep(0.05)
    clock.sleep(5)  # well into the act
    began = clock.monotonic()
    person = clock.start(Process(12), lambda: back(inhabited(rehearsal.context("dev", pid=12), clock)))
    while not (rollout().reason and dev.weights == OLD):
        clock.sleep(0.05)
        dev.settle_weights()
    assert clock.monotonic() - began < 1
    clock.run_until()
    assert (owner.ended, person.error, dev.weights, dev.harm) == (True, None, OLD, [])


@pytest.mark.parametrize("verb", [delivery.retire, delivery.contract])
def test_rollback_beside_a_dead_clean_up_gives_that_up(verb: Callable[..., Any]) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    left_in(rehearsal, Phase.RETIRING, lambda ctx: verb(ctx, force=True, because="drill"))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert rehearsal.environment("dev").weights == OLD


def test_up_that_fails_for_good_is_owed_told_and_in_nobodys_way() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    dev = rehearsal.environment("dev")

    def break_stack(event: Event) -> None:
        rehearsal.events.append(event)
        if isinstance(event, ActionStarted) and event.text == "blue is live":
            dev.up_fault = "quota exceeded"

    assert delivery.release(replace(rehearsal.context("dev"), progress=break_stack)).status == "completed"
    (row,) = delivery.status(rehearsal.context("dev"))
    assert [item.told(rehearsal.clock.now()) for item in row.owed] == ["up for 3 s, tried 1 time: quota exceeded"]
    assert any(isinstance(event, StillOwed) and "slipway resume dev" in event.text for event in rehearsal.events)
    assert "on-work-owed" in dev.notifications
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert dev.weights == OLD
    assert rehearsal.ledger.owed(dev.place)[0].attempts == 2
    dev.up_fault = ""
    assert delivery.resume(rehearsal.context("dev")).text == "done, which was owed: up"
    assert rehearsal.ledger.owed(dev.place) == ()


@pytest.mark.parametrize(("breaks_in", "replaced"), [(Phase.DEPLOYING, False), (Phase.BAKING, True)])
def test_rollback_after_a_failed_release_does_not_take_its_pods_for_the_warm_ones(
    breaks_in: Phase, replaced: bool
) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "3.0.0", error_ratio=0.5)

    def break_stack(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is breaks_in:
            dev.up_fault = "quota exceeded"

    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(replace(rehearsal.context("dev"), progress=break_stack))
    assert dev.running[Colour.GREEN][0].version == ("3.0.0" if replaced else "1.0.0")
    plan = delivery.rollback(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert plan.kind is (Kind.ROLLBACK if replaced else Kind.SWITCH)
    dev.up_fault = ""
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert (dev.weights, dev.running[Colour.GREEN][0].version, dev.harm) == (OLD, "1.0.0", [])


def test_records_that_a_dead_process_owed_are_written_before_anything_is_decided_on_them() -> None:
    rehearsal = company("1.0.0")
    bad = check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)
    left_in(rehearsal, Phase.ROLLED_BACK)
    place = rehearsal.environment("dev").place
    assert rehearsal.ledger.rejections(place) == []
    with pytest.raises(SlipwayError, match=f"{bad} is rejected here"):
        delivery.release(rehearsal.context("dev"))
    assert [each.rejected and each.rejected.release for each in rehearsal.ledger.rejections(place)] == [bad]


def contract_that_failed() -> Rehearsal:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    rehearsal.environment("dev").migration_fault = "column discount contains null values"
    with pytest.raises(OperationError, match=r"(?s)contract was given up: migration-failed: column discount .* owed"):
        delivery.contract(rehearsal.context("dev"), force=True, because="drill")
    return rehearsal


def test_contract_that_fails_is_owed_and_blocks_nothing() -> None:
    """helm#11863 and flagger#816: a contract migration fails on NULL rows."""
    rehearsal = contract_that_failed()
    dev = rehearsal.environment("dev")
    delivery.refuse_during_rollout(rehearsal.context("dev"))
    (row,) = delivery.status(rehearsal.context("dev"))
    assert (row.pending_contract, ["contract" in item.text and "null values" in item.text for item in row.owed]) == (
        ("0002",),
        [True],
    )
    assert delivery.resume(rehearsal.context("dev")).status == "unchanged"
    rehearsal.check_out("3.0.0")
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    dev.migration_fault = ""
    delivery.contract(rehearsal.context("dev"), force=True, because="drill")
    assert (dev.applied[-1], rehearsal.ledger.owed(dev.place)) == ("0002", ())


def test_contract_that_is_owed_is_tried_again_by_resume() -> None:
    rehearsal = contract_that_failed()
    dev = rehearsal.environment("dev")
    dev.migration_fault = ""
    delivery.resume(rehearsal.context("dev"))
    assert (dev.applied[-1], rehearsal.ledger.owed(dev.place)) == ("0002", ())


@pytest.mark.parametrize("balancer_fails", [False, True])
@pytest.mark.parametrize("phase", [*FORWARD, Phase.RETURNING, Phase.CLEANING])
def test_rollout_can_be_given_up_in_every_phase_and_a_release_goes_through_after_it(
    phase: Phase, balancer_fails: bool
) -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5 if phase in {Phase.RETURNING, Phase.CLEANING} else 0)
    left_in(rehearsal, phase)
    dev.balancer_fault = "cannot modify the listener" if balancer_fails else ""
    dev.up_fault = "quota exceeded"
    began = rehearsal.clock.now()
    outcome = delivery.abandon(rehearsal.context("dev"), because="it is Friday")
    assert rehearsal.clock.now() - began < timedelta(minutes=1)
    assert outcome.rollout
    assert outcome.rollout.phase.ended
    assert outcome.status == ("completed" if phase is Phase.SETTLING else "rolled-back")
    delivery.refuse_during_rollout(rehearsal.context("dev"))
    dev.balancer_fault = dev.up_fault = ""
    delivery.resume(rehearsal.context("dev"))
    assert (dev.weights, dev.harm) == (NEW if phase is Phase.SETTLING else OLD, [])
    rehearsal.check_out("3.0.0")
    assert delivery.release(rehearsal.context("dev")).status == "completed"


@pytest.mark.parametrize(("phase", "most"), [(None, 45), (Phase.VERIFYING, 36), (Phase.SETTLING, 70)])
def test_way_back_asks_the_ledger_little_before_the_weights_move(phase: Phase | None, most: int) -> None:
    """Each question is a call to AWS, one after the other: from far away they take longer than all else."""
    rehearsal = company("1.0.0", "2.0.0")
    dev, old = rehearsal.environment("dev"), OLD
    if phase:
        rehearsal.check_out("3.0.0")
        left_in(rehearsal, phase)
        old = NEW
    asked: list[str] = []
    context = rehearsal.context("dev")
    ledger = CountedLedger(context.ledger, asked, lambda: dev.weights == old)
    delivery.rollback(replace(context, ledger=ledger))
    assert dev.weights == old
    assert 20 < len(asked) <= most


class CountedLedger:
    """Notes each call until something has come about."""

    def __init__(self, ledger: Any, asked: list[str], done: Callable[[], bool]) -> None:
        self._ledger, self._asked, self._done = ledger, asked, done

    def __getattr__(self, name: str) -> Any:
        if not self._done():
            self._asked.append(name)
        return getattr(self._ledger, name)


@pytest.mark.parametrize(
    ("kind", "phase", "waits"),
    [
        (Kind.RELEASE, Phase.BAKING, False),
        (Kind.RELEASE, Phase.COMPLETED, False),
        (Kind.SWITCH, Phase.COMPLETED, False),
        (Kind.SWITCH, Phase.SHIFTING, True),
        (Kind.REHEARSAL, Phase.BAKING, True),
    ],
)
def test_way_back_lets_an_owner_be_only_where_that_may_bring_the_traffic_back(
    kind: Kind, phase: Phase, waits: bool
) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    last = rehearsal.ledger.rollout(rehearsal.environment("dev").place)
    assert last
    assert (grace_seconds(replace(last, kind=kind, phase=phase)) > 0) is waits
