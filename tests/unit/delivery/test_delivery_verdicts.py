"""Who is told what: once each, by exit code and notification, and downstream before it is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import Notice
from slipway.delivery.model.rollout import Phase
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import SlipwayError
from tests.unit.delivery.interrupting import CONTRACT, EXPAND, OLD, check_out_bad, company, left_in


def test_rollback_plans_once_and_tells_once() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    rehearsal.expired.add(rehearsal.ledger.releases("orders")[1].image)
    asked: list[str] = []
    ctx = rehearsal.context("dev")

    def has_image(image: str) -> bool:
        asked.append(image)
        return ctx.has_image(image)

    rehearsal.events.clear()
    assert delivery.rollback(replace(ctx, has_image=has_image)).status == "completed"
    told = [event.text for event in rehearsal.events if isinstance(event, Notice) and event.text.startswith("not r-")]
    assert (len(told), len(asked)) == (1, len(set(asked)))


def two_environments(**rollout: Any) -> Rehearsal:
    rehearsal = company(**rollout)
    rehearsal.environment("staging", promoteFrom="dev")
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version, revisions=[EXPAND])
        delivery.release(rehearsal.context("dev"))
    return rehearsal


@pytest.mark.parametrize("phase", [Phase.SHIFTING, Phase.SETTLING, Phase.COMPLETED])
def test_refuses_to_promote_what_is_being_rolled_back_upstream(phase: Phase) -> None:
    """Its process died before the rejection was in a record."""
    rehearsal = two_environments()
    newest = rehearsal.ledger.releases("orders")[0]
    left_in(rehearsal, phase, delivery.rollback)
    assert rehearsal.ledger.rejections(rehearsal.environment("dev").place) == []
    with pytest.raises(delivery.RefusedError, match=f"{newest.id} was rejected in dev .*not recorded yet"):
        delivery.promote(rehearsal.context("staging"), "dev", release_id=newest.id)
    assert rehearsal.environment("staging").ups == 0


def test_refuses_to_promote_what_is_released_again_and_turning_back_upstream() -> None:
    rehearsal = two_environments()
    newest = rehearsal.ledger.releases("orders")[0]
    delivery.rollback(rehearsal.context("dev"))
    delivery.lift(rehearsal.context("dev"), because="was the network")
    rehearsal.facts_now = replace(rehearsal.facts_now, config_hash="e" * 64)  # the same image, another release
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)
    left_in(rehearsal, Phase.RETURNING)
    with pytest.raises(delivery.RefusedError, match="was rejected in dev"):
        delivery.promote(rehearsal.context("staging"), "dev", release_id=newest.id)


def test_rejection_that_is_owed_can_be_lifted() -> None:
    rehearsal = two_environments()
    left_in(rehearsal, Phase.COMPLETED, delivery.rollback)
    assert delivery.lift(rehearsal.context("dev"), because="was the network").status == "completed"
    assert delivery.promote(
        rehearsal.context("staging"), "dev", release_id=rehearsal.ledger.releases("orders")[0].id
    ).status == ("completed")


@pytest.mark.parametrize(
    ("verb", "alive"), [(delivery.retire, False), (delivery.contract, False), (delivery.contract, True)]
)
def test_clean_up_that_a_person_turns_back_ends_with_the_documented_exit_code(
    verb: Callable[..., Any], alive: bool
) -> None:
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev")
    for version, revisions in (("1.0.0", [EXPAND]), ("2.0.0", [EXPAND, CONTRACT])):
        rehearsal.check_out(version, revisions=revisions)
        delivery.release(rehearsal.context("dev"))
    dev.up_seconds, dev.notifications = 90, []
    ctx = inhabited(rehearsal.context("dev", pid=11), clock)
    owner = clock.start(Process(11), lambda: verb(ctx, force=True, because="drill"))
    if not alive:
        owner.fuse, owner.fuse_calls = 0, frozenset({"write_wanted"})
    clock.sleep(3)
    if alive:
        delivery.abort(rehearsal.context("dev", pid=12), because="not now")
        clock.run_until()
        error = owner.error
    else:
        rehearsal.dead.add(11)
        rehearsal.ledger.request_abort(dev.place, newest_rollout(rehearsal), "aborted by ada: not now")
        with pytest.raises(delivery.ReleaseRolledBackError) as raised:
            delivery.resume(rehearsal.context("dev", pid=12))
        error = raised.value
    assert isinstance(error, delivery.ReleaseRolledBackError), error
    assert (error.exit_code, "turned back: aborted" in error.what) == (10, True)
    assert "on-rollout-aborted" in dev.notifications


def newest_rollout(rehearsal: Rehearsal) -> str:
    rollout = rehearsal.ledger.rollout(rehearsal.environment("dev").place)
    assert rollout
    return rollout.id


@pytest.mark.parametrize("back", [delivery.rollback, delivery.abort, delivery.abandon])
def test_whoever_waits_for_a_release_that_others_take_over_is_told_how_it_ended(back: Callable[..., Any]) -> None:
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev", steps=[50, 100], bakeSeconds=30)
    rehearsal.check_out("1.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    dev.up_seconds, dev.notifications = 90, []
    ctx = inhabited(rehearsal.context("dev", pid=11), clock)
    owner = clock.start(Process(11), lambda: delivery.release(ctx))
    clock.sleep(120)  # in its second `up`, which it cannot leave
    back(rehearsal.context("dev", pid=12), because="complaints")
    clock.run_until()
    assert isinstance(owner.error, delivery.ReleaseRolledBackError), owner.error
    assert "complaints" in owner.error.what
    assert (dev.weights, dev.harm) == (OLD, [])
    assert dev.notifications.count("on-rollout-aborted") == 1


def test_rollout_that_ended_untold_is_told_by_whoever_finds_it() -> None:
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)
    left_in(rehearsal, Phase.ROLLED_BACK)
    dev = rehearsal.environment("dev")
    dev.notifications = []
    with pytest.raises(SlipwayError):
        delivery.release(rehearsal.context("dev"))
    assert "on-rollout-aborted" in dev.notifications


def test_abandoned_rollout_is_told() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    dev = rehearsal.environment("dev")
    dev.balancer_fault, dev.notifications = "cannot modify the listener", []
    delivery.abandon(rehearsal.context("dev"), because="it is Friday")
    assert "on-rollout-aborted" in dev.notifications


def test_plain_up_that_began_before_a_rollback_leaves_its_weights_alone() -> None:
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev")
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version, revisions=[EXPAND])
        delivery.release(rehearsal.context("dev"))
    dev.up_seconds = 90
    colleague = clock.start(Process(11), rehearsal.context("dev", pid=11).stack.up)
    clock.sleep(10)
    person = clock.start(Process(12), lambda: delivery.rollback(rehearsal.context("dev", pid=12)))
    while not colleague.ended:
        clock.sleep(0.5)
    dev.settle_weights()
    assert dev.weights == OLD
    clock.run_until()
    assert (person.error, dev.weights, dev.harm) == (None, OLD, [])
