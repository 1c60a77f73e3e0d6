"""Ledgers, load balancers and stacks that fail for a moment, or whose answers are lost: it is asked again, and nothing is hidden by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.converging import bring_stack_up
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.colour import Weights
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import NEW, OLD, check_out_bad, company


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
