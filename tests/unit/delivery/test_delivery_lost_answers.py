"""Ledgers, load balancers and stacks that fail for a moment, or whose answers are lost: it is asked again, and nothing is hidden by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.converging import bring_stack_up
from slipway.delivery.events import Event, PhaseEntered
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.rollout import Kind, Phase
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import (
    NEW,
    OLD,
    check_out_bad,
    company,
    listening,
    seconds_until,
    watch_weights,
)


def memory(rehearsal: Rehearsal) -> MemoryLedger:
    assert isinstance(rehearsal.ledger, MemoryLedger)
    return rehearsal.ledger


def failing(first: int, times: int = 2) -> tuple[Callable[[str], None], list[str]]:
    """A hook that fails at write `first` and, once more, at the next; and what it failed."""
    failed: list[str] = []
    seen = 0

    def fail(what: str) -> None:
        nonlocal seen
        seen += 1
        if seen >= first and len(failed) < times:
            failed.append(what)
            raise OperationError("throttled")

    return fail, failed


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("hook", ["before_write", "after_write"])
def test_ledger_that_fails_for_a_moment_changes_nothing_about_the_end(hook: str, bad: bool) -> None:
    """A throttled write, or one whose answer is lost. It ended the process, with half of the users on a bad release."""
    for first in range(1 + bad, 100, 2):
        rehearsal = company("1.0.0")
        check_out_bad(rehearsal, "2.0.0", error_ratio=0.5 if bad else 0)
        fail, failed = failing(first)
        setattr(rehearsal.ledger, hook, fail)
        try:
            ended = delivery.release(rehearsal.context("dev")).status
        except delivery.ReleaseRolledBackError as error:
            ended = error.rollout.reason
        dev = rehearsal.environment("dev")
        assert ended == ("errors-above-limit" if bad else "completed"), failed
        assert (dev.weights, dev.harm) == (OLD if bad else NEW, []), failed
        assert dev.notifications[-1] != "on-rollout-given-up", failed
        if not failed:
            assert first > 20
            return
    raise AssertionError("the release never ended by itself")


def test_ledger_that_fails_for_long_is_told_before_the_process_ends() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    memory(rehearsal).before_write, _ = failing(8, times=1000)
    with pytest.raises(OperationError, match=r"(?s)throttled.*slipway resume dev"):
        delivery.release(rehearsal.context("dev"))
    assert rehearsal.environment("dev").notifications[-1] == "on-rollout-given-up"


def test_rollout_that_the_ledger_never_took_is_asked_for_again() -> None:
    """`resume` and `abandon`, which were advised, did not know of it."""
    rehearsal = company("1.0.0", "2.0.0")
    memory(rehearsal).before_write, _ = failing(1, times=100_000)
    with pytest.raises(OperationError, match="give the same command again") as raised:
        delivery.rollback(rehearsal.context("dev"))
    assert "resume" not in str(raised.value)
    memory(rehearsal).before_write = lambda _what: None
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert rehearsal.environment("dev").weights == OLD


@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize("done", [False, True], ids=["refused", "answer lost"])
def test_load_balancer_that_does_not_answer_one_change_is_asked_again(lost: int, done: bool) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    dev = rehearsal.environment("dev")
    ask, moves = dev.ask_weights, 0

    def lose(weights: Weights) -> None:
        nonlocal moves
        moves += 1
        if done or moves - 1 != lost:
            ask(weights)
        if moves - 1 == lost:
            raise OperationError("timed out")

    dev.ask_weights = lose  # type: ignore[method-assign]
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert (dev.weights, dev.harm) == (OLD, [])


def test_load_balancer_that_refuses_for_good_turns_the_release_back_with_its_reason() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    dev = rehearsal.environment("dev")

    def refuse(weights: Weights) -> None:
        if weights != OLD:
            raise OperationError("not authorised")

    dev.ask_weights = refuse  # type: ignore[method-assign]
    with pytest.raises(delivery.ReleaseRolledBackError, match="weights-not-confirmed: not authorised"):
        delivery.release(rehearsal.context("dev"))


def fail_from(rehearsal: Rehearsal, phase: Phase, what: str, seconds: float) -> delivery.Context:
    """A context whose rollout finds the load balancer or the ledger failing from its entering `phase`, for so long."""
    dev, ledger = rehearsal.environment("dev"), memory(rehearsal)
    ask, began = dev.ask_weights, [datetime.max.replace(tzinfo=UTC)]

    def out() -> bool:
        return began[0] <= rehearsal.clock.now() < began[0] + timedelta(seconds=seconds)

    def fail(_what: object) -> None:
        if out():
            raise OperationError("throttled")

    def refuse(weights: Weights) -> None:
        fail(weights)
        ask(weights)

    def begin(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is phase and not out():
            began[0] = rehearsal.clock.now()
            if what == "the load balancer":
                dev.balancer_fault = "throttled"
                rehearsal.clock.repeat(seconds, lambda: setattr(dev, "balancer_fault", ""))

    if what == "changes":
        dev.ask_weights = refuse  # type: ignore[method-assign]
    if what == "the ledger":
        ledger.before_write = fail
    return listening(rehearsal, begin)


@pytest.mark.parametrize("seconds", [6, 25, 100, 600])
@pytest.mark.parametrize("what", ["the load balancer", "the ledger", "changes"])
@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        (Kind.SWITCH, Phase.SHIFTING),
        (Kind.SWITCH, Phase.SETTLING),
        (Kind.ROLLBACK, Phase.SHIFTING),
        (Kind.ROLLBACK, Phase.BAKING),
        (Kind.ROLLBACK, Phase.VERIFYING),
        (Kind.ROLLBACK, Phase.SETTLING),
    ],
)
def test_way_back_is_not_turned_round_by_what_does_not_answer(
    kind: Kind, phase: Phase, what: str, seconds: float
) -> None:
    """The load balancer's API was throttled for 6 s, after users had come to the good release: they were moved to the bad one again."""
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    dev, made = rehearsal.environment("dev"), {each.version: each.id for each in rehearsal.ledger.releases("orders")}
    ctx, moved = fail_from(rehearsal, phase, what, seconds), len(dev.moves)
    outcome = delivery.rollback(ctx, made["1.0.0" if kind is Kind.ROLLBACK else "2.0.0"])
    assert outcome.rollout
    assert (outcome.status, outcome.rollout.kind, set(dev.moves[moved:])) == ("completed", kind, {NEW})
    assert (dev.weights, dev.harm) == (NEW, [])


def test_switch_waits_for_a_load_balancer_that_does_not_answer() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.balancer_fault = "throttled"
    rehearsal.clock.repeat(100, lambda: setattr(dev, "balancer_fault", ""))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert dev.weights == OLD


def test_switch_needs_nothing_of_a_cluster_whose_api_is_out() -> None:
    """The cluster's API was down, users had errors, and `rollback` refused to move them to pods that the load balancer called healthy."""
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.pods.fault = "the cluster's API does not answer"
    began, seen = rehearsal.clock.now(), watch_weights(dev)
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert seconds_until(seen, began, OLD) <= 3


def test_switch_without_a_cluster_goes_to_healthy_targets_only() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.pods.fault, dev.behaviour["1.0.0"] = "the cluster's API does not answer", Behaviour(healthy=False)
    with pytest.raises(delivery.ReleaseRolledBackError, match="targets-unhealthy"):
        delivery.rollback(rehearsal.context("dev"))
    assert dev.weights == NEW


def test_way_back_that_cannot_go_on_for_good_leaves_users_where_they_are() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    with pytest.raises(OperationError, match=r"(?s)throttled.*slipway resume dev"):
        delivery.rollback(fail_from(rehearsal, Phase.SETTLING, "the ledger", 2000))
    assert (dev.weights, dev.notifications[-1]) == (OLD, "on-rollout-given-up")
    rehearsal.clock.sleep(1200)
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert dev.weights == OLD


def test_lease_that_cannot_be_given_back_does_not_hide_how_the_verb_ended() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")

    def fail(*_: object) -> None:
        raise OperationError("throttled")

    rehearsal.ledger.release_lease = fail  # type: ignore[method-assign]
    assert delivery.release(rehearsal.context("dev")).status == "completed"


def test_what_is_owed_does_not_hide_how_the_way_back_ended() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    ledger, owed = rehearsal.ledger, rehearsal.ledger.owed

    def fail_once_it_is_over(place: Any) -> Any:
        rollout = ledger.rollout(place)
        if rollout and rollout.kind == "switch" and rollout.phase.ended:
            raise OperationError("throttled")
        return owed(place)

    ledger.owed = fail_once_it_is_over  # type: ignore[method-assign]
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert rehearsal.environment("dev").weights == OLD


def test_owner_that_waits_for_the_stack_stops_when_its_lease_is_taken() -> None:
    """It waited on, for ten minutes, and would have brought the stack up without its lease."""
    rehearsal = company("1.0.0")
    dev, ledger, ctx = rehearsal.environment("dev"), rehearsal.ledger, rehearsal.context("dev")
    dev.locked = True
    began, sleep = rehearsal.clock.now(), rehearsal.clock.sleep

    def taken_meanwhile(seconds: float) -> None:
        sleep(seconds)
        lease, other = ledger.lease(dev.place), rehearsal.context("dev", pid=9).owner
        if lease and lease.owner != other:
            ledger.take_over(dev.place, lease, other, "slipway rollback dev", rehearsal.clock.now())

    with hold_lease(ctx, "slipway release dev") as keeper:
        rehearsal.clock.sleep = taken_meanwhile  # type: ignore[method-assign]
        with pytest.raises(delivery.LeaseLostError):
            bring_stack_up(ctx, keeper, before=lambda: None)
    assert rehearsal.clock.now() - began < timedelta(seconds=10)
