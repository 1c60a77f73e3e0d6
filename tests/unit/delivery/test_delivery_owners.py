"""Who may move traffic: weights that nobody explains, leases and clocks, processes that wake up, load balancers that forget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.errors import ListenerGoneError
from slipway.delivery.events import ActionStarted, Event, PhaseEntered, Waiting
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import LockedError, OperationError, SlipwayError
from tests.unit.delivery.interrupting import (
    CONTRACT,
    EXPAND,
    NEW,
    OLD,
    check_out_bad,
    company,
    killed_when,
    left_in,
    listening,
    seconds_until,
    watch_weights,
)


def retire_or_contract(verb: Callable[..., Any]) -> Callable[[delivery.Context], Any]:
    return lambda ctx: verb(ctx, force=True, because="drill")


@pytest.mark.parametrize(
    "verb",
    [delivery.release, retire_or_contract(delivery.retire), retire_or_contract(delivery.contract)],
    ids=["release", "retire", "contract"],
)
def test_refuses_to_move_traffic_that_the_ledger_does_not_explain(verb: Callable[[delivery.Context], Any]) -> None:
    """containers-roadmap#2853: weights moved in the console, and `release` replaced the colour that had all users."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    dev = rehearsal.environment("dev")
    dev.weights = OLD
    rehearsal.check_out("3.0.0")
    ups = dev.ups
    with pytest.raises(
        OperationError, match=r"(?s)has blue 0 %, green 100 % and the ledger says blue 100 %.*slipway resume dev"
    ):
        verb(rehearsal.context("dev"))
    assert (dev.weights, dev.ups, dev.harm) == (OLD, ups, [])
    assert delivery.resume(rehearsal.context("dev")).text == (
        "the load balancer had blue 0 %, green 100 %, and has blue 100 %, green 0 % again"
    )
    assert dev.weights == NEW
    verb(rehearsal.context("dev"))
    assert dev.harm == []


def test_rollback_keeps_traffic_that_a_person_has_moved_back_by_hand() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.weights = OLD
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert {weights for weights in dev.moves[2:] if weights != NEW} <= {OLD}
    assert (dev.weights, rehearsal.ledger.wanted(dev.place).live) == (OLD, Colour.GREEN)


def test_rollback_keeps_traffic_that_a_person_has_moved_off_what_stayed_live_after_a_bad_release() -> None:
    """The bad one's colour runs the older release again: its traffic is no leftover of the bad one."""
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "3.0.0", error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    live = rehearsal.ledger.wanted(dev.place).live
    assert live
    dev.weights = moved = Weights.towards(live.other, 100)
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert (dev.weights, rehearsal.ledger.wanted(dev.place).live, dev.harm) == (moved, live.other, [])


def owing_an_up() -> Rehearsal:
    """2.0.0 is live, and its `up` is owed for want of a quota, which is there by now."""
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")

    def run_out(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.SETTLING:
            dev.up_fault = "quota exceeded"

    delivery.release(listening(rehearsal, run_out))
    dev.up_fault = ""
    assert [item.debt for item in rehearsal.ledger.owed(dev.place)] == [Debt.UP]
    return rehearsal


def test_verb_that_tries_what_is_owed_leaves_users_where_a_person_has_moved_them() -> None:
    """`contract` had nothing to do, and all users were on the bad release again."""
    rehearsal = owing_an_up()
    dev = rehearsal.environment("dev")
    dev.weights, moved = OLD, len(dev.moves)
    assert delivery.contract(rehearsal.context("dev")).status == "unchanged"
    assert (dev.weights, dev.moves[moved:]) == (OLD, [])
    (owed,) = rehearsal.ledger.owed(dev.place)
    assert "somebody else moved the traffic" in owed.problem
    delivery.resume(rehearsal.context("dev"))
    assert (dev.weights, rehearsal.ledger.owed(dev.place), dev.harm) == (NEW, (), [])


def test_rollback_keeps_users_where_a_person_has_moved_them_while_an_up_is_owed() -> None:
    rehearsal = owing_an_up()
    dev = rehearsal.environment("dev")
    dev.weights = OLD
    delivery.contract(rehearsal.context("dev"))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert (dev.weights, rehearsal.ledger.owed(dev.place), dev.harm) == (OLD, (), [])


def test_what_is_owed_is_done_by_any_verb_where_nobody_has_moved_the_traffic() -> None:
    rehearsal = owing_an_up()
    delivery.contract(rehearsal.context("dev"))
    assert rehearsal.ledger.owed(rehearsal.environment("dev").place) == ()


@pytest.mark.parametrize("late", [False, True], ids=["while its nodes follow", "once the ledger says that it goes"])
@pytest.mark.parametrize("verb", [delivery.retire, delivery.contract])
def test_colour_that_a_person_moves_users_to_is_not_taken_away(verb: Callable[..., Any], late: bool) -> None:
    """They were moved back to the bad release, and the older one was taken away."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    rehearsal.cadence = replace(rehearsal.cadence, settle_seconds=10)
    dev, before = rehearsal.environment("dev"), rehearsal.ledger.wanted(rehearsal.environment("dev").place)
    moved = len(dev.moves)

    def move(event: Event) -> None:
        going = isinstance(event, ActionStarted) and "shall run nothing" in event.text
        if going if late else isinstance(event, Waiting):
            dev.weights = OLD

    with pytest.raises(OperationError, match=r"(?s)traffic-unexplained.*green.*100 %.*slipway rollback dev"):
        verb(listening(rehearsal, move), force=True, because="drill")
    wanted = rehearsal.ledger.wanted(dev.place)
    assert (dev.weights, dev.moves[moved:], dev.applied[-1], dev.harm) == (OLD, [], "0001", [])
    assert (wanted.releases(), wanted.weights) == (before.releases(), NEW)
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert (dev.weights, dev.running[Colour.GREEN][0].version, dev.harm) == (OLD, "1.0.0", [])


def test_up_by_itself_is_refused_where_somebody_moved_the_traffic() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    delivery.refuse_moved_traffic(rehearsal.context("dev"))
    rehearsal.environment("dev").weights = OLD
    with pytest.raises(OperationError, match="somebody else moved the traffic"):
        delivery.refuse_moved_traffic(rehearsal.context("dev"))


def test_up_by_itself_passes_where_the_listener_is_gone() -> None:
    """A deletion that was cut short could be ended, and not be taken back."""
    rehearsal = company("1.0.0", "2.0.0")

    def gone(*_: object, **_named: object) -> None:
        raise ListenerGoneError("the live listener is gone")

    ctx = rehearsal.context("dev")

    def connect(target: Any) -> Any:
        world = ctx.connect(target)
        world.balancer.read = gone  # type: ignore[method-assign]
        return world

    delivery.refuse_moved_traffic(replace(ctx, connect=connect))


def test_up_by_itself_passes_while_a_rollout_divides_the_traffic() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    assert rehearsal.environment("dev").weights not in {OLD, NEW}
    delivery.refuse_moved_traffic(rehearsal.context("dev"))


def test_refuses_a_rollback_that_would_replace_the_colour_with_the_traffic() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    dev = rehearsal.environment("dev")
    oldest = rehearsal.ledger.history(dev.place, 9)[-1].candidate
    assert oldest
    dev.weights = NEW  # 3.0.0 is green
    with pytest.raises(OperationError, match="blue was to be replaced"):
        delivery.rollback(rehearsal.context("dev"), oldest.release)
    assert (dev.weights, dev.harm) == (NEW, [])


def test_resume_does_not_move_users_to_a_colour_without_a_healthy_target() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.weights = OLD
    dev.running.pop(Colour.BLUE)
    with pytest.raises(OperationError, match="blue should have 100 % of the traffic, and has no healthy target"):
        delivery.resume(rehearsal.context("dev"))
    assert dev.weights == OLD


@pytest.mark.parametrize("phase", [Phase.MIGRATING, Phase.DEPLOYING, Phase.WAITING, Phase.BAKING])
def test_resume_says_and_repairs_what_was_moved_while_nobody_was_there(phase: Phase) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, phase)
    dev = rehearsal.environment("dev")
    dev.weights = Weights(blue=30, green=70)
    with pytest.raises(OperationError, match="somebody else moved the traffic"):
        delivery.release(rehearsal.context("dev"))
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert any(
        "the load balancer has blue 30 %, green 70 %, the ledger says" in event.text for event in rehearsal.events
    )
    assert (dev.weights, dev.harm) == (NEW, [])


@pytest.mark.parametrize("skew_seconds", [60, 3600, -60])
def test_lease_that_is_renewed_is_never_taken_whatever_the_clocks_say(skew_seconds: float) -> None:
    """dynamodb-lock-client#88: an intruder whose clock is a minute ahead."""
    rehearsal = company("1.0.0")
    ctx = rehearsal.context("dev", pid=42, lease_wait_seconds=300, skew_seconds=skew_seconds)
    with hold_lease(rehearsal.context("dev", pid=41), "slipway release dev") as keeper:
        with pytest.raises(LockedError, match="process 41"):
            delivery.release(ctx)
        with pytest.raises(LockedError, match="process 41"):
            delivery.resume(replace(ctx, lease_wait_seconds=0))
        keeper.confirm()


def test_resume_watches_an_owner_for_a_term_and_takes_over_when_it_is_gone() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING, known=False)
    began = rehearsal.clock.now()
    with pytest.raises(LockedError, match="slipway resume dev"):
        delivery.release(rehearsal.context("dev"))
    assert delivery.resume(rehearsal.context("dev", skew_seconds=-7200)).status == "completed"
    assert rehearsal.clock.now() - began > timedelta(seconds=30)


@pytest.mark.parametrize("back", [delivery.abort, delivery.rollback, delivery.abandon])
def test_process_that_wakes_up_after_a_way_back_changes_nothing(back: Callable[..., Any]) -> None:
    """A suspended process woke after another one had aborted, and set 50/50: half the users met an empty group."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    dev = rehearsal.environment("dev")

    def sleep_meanwhile(event: Event) -> None:
        if isinstance(event, ActionStarted) and event.text.startswith("set the load balancer"):
            assert back(rehearsal.context("dev", pid=9)).status == "rolled-back"

    with pytest.raises(delivery.ReleaseRolledBackError):  # it is told how its release ended
        delivery.release(replace(rehearsal.context("dev"), progress=sleep_meanwhile))
    rehearsal.clock.sleep(5)
    dev.settle_weights()
    assert (dev.weights, dev.harm) == (OLD, [])
    ended = rehearsal.ledger.rollout(dev.place)
    assert ended
    assert (ended.phase, ended.reason) == (Phase.ROLLED_BACK, Reason.ABORTED)


def test_load_balancer_that_forgets_and_answers_late_still_brings_traffic_back_soon() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    dev = rehearsal.environment("dev")
    dev.forgotten_moves, dev.answer_seconds = 1, 0.5
    began, seen = rehearsal.clock.now(), watch_weights(dev)
    delivery.rollback(rehearsal.context("dev"))
    assert seconds_until(seen, began, OLD) < 6


def test_stack_that_cannot_be_read_does_not_stand_in_the_way() -> None:
    rehearsal = company("1.0.0", "2.0.0")

    class Broken:
        def __getattr__(self, name: str) -> Any:
            def fail() -> None:
                raise OperationError("the state cannot be read")

            return fail

    stack: Any = Broken()
    assert delivery.rollback(replace(rehearsal.context("dev"), stack=stack)).status == "completed"
    assert rehearsal.environment("dev").weights == OLD


def test_warm_colour_that_died_is_not_given_the_traffic_by_a_resumed_switch() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    left_in(rehearsal, Phase.SHIFTING, delivery.rollback)
    dev = rehearsal.environment("dev")
    dev.running.pop(Colour.GREEN)
    with pytest.raises(SlipwayError, match="no healthy target"):
        delivery.resume(rehearsal.context("dev"))
    assert dev.weights == NEW


def test_what_an_older_up_did_to_the_weights_is_put_right() -> None:
    """Another process's `up` began before the rollback and ends after it."""
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.locked = True  # it runs
    sleep, late = rehearsal.clock.sleep, iter([False] * 5 + [True])

    def sleep_on(seconds: float) -> None:
        sleep(seconds)
        if dev.locked and dev.weights == OLD and next(late, False):
            dev.locked, dev.weights = False, NEW

    rehearsal.clock.sleep = sleep_on  # type: ignore[method-assign]
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert (dev.locked, dev.weights) == (False, OLD)


def test_killed_between_asking_and_moving_is_explained_and_goes_on() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    killed_when(
        rehearsal,
        delivery.release,
        lambda event: isinstance(event, ActionStarted) and event.text.startswith("set the load balancer to blue 50"),
    )
    outcome = delivery.release(rehearsal.context("dev"))
    assert (outcome.status, rehearsal.environment("dev").weights) == ("unchanged", NEW)


def test_colour_whose_pods_are_being_replaced_is_not_called_warm() -> None:
    """The dashboard and `status` said so of a candidate on its way up."""
    rehearsal = company("1.0.0", "2.0.0")

    def warm() -> list[bool]:
        (place,) = delivery.status(rehearsal.context("dev"))
        return [place.colours[colour].warm for colour in Colour]

    assert warm() == [False, True]
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    left_in(rehearsal, Phase.MIGRATING)
    assert warm() == [False, True]
    delivery.resume(rehearsal.context("dev"))
    assert warm() == [True, False]
    rehearsal.check_out("4.0.0", revisions=[EXPAND])
    left_in(rehearsal, Phase.WAITING)
    assert warm() == [False, False]
