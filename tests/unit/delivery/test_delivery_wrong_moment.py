"""Verbs at the wrong moment: in a freeze, after the end, beside a way back, on machines whose clocks differ."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from slipway import delivery
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.way_back import give_up
from slipway.errors import OperationError, UsageError
from tests.unit.delivery.interrupting import CONTRACT, EXPAND, NEW, OLD, company, left_in
from tests.unit.delivery.test_delivery_people import APPROVED, HALF, Company


@pytest.mark.parametrize("again", [delivery.rollback, delivery.resume])
def test_release_that_was_given_up_with_traffic_is_brought_back_by_the_next_way_back(
    again: Callable[..., delivery.Outcome],
) -> None:
    """`rollback` looked for an older release instead, found none, and left half of the users on the bad one."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    dev = rehearsal.environment("dev")
    dev.balancer_fault = "unreachable"
    outcome = delivery.abandon(rehearsal.context("dev"))
    assert "does not confirm blue 0 %, green 100 %" in outcome.text
    assert "slipway rollback dev" in outcome.text
    dev.balancer_fault = ""
    assert dev.weights == HALF
    began = rehearsal.clock.now()
    again(rehearsal.context("dev"))
    assert (dev.weights, rehearsal.clock.now() - began <= timedelta(seconds=5)) == (OLD, True)
    rehearsal.check_out("3.0.0")
    assert delivery.release(rehearsal.context("dev")).status == "completed"


def test_rollback_to_what_is_live_again_turns_the_release_back_and_says_so() -> None:
    """The owner turned it back in time, and the person was told that the release is live already, with exit code 2."""
    company = Company()
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    first = company.rollout.original.colour(Colour.GREEN)
    assert first
    ctx = inhabited(company.rehearsal.context("dev", pid=5), company.clock)
    person = company.clock.start(Process(5), lambda: delivery.rollback(ctx, first.release))
    company.clock.run_until()
    assert person.error is None
    assert (person.answer.status, company.weights()) == ("rolled-back", OLD)


@pytest.mark.parametrize("named", [False, True], ids=["", "--to"])
@pytest.mark.parametrize("seconds", [0, 0.2, 0.5])
def test_two_people_who_roll_back_at_once_go_back_once(seconds: float, named: bool) -> None:
    """The second one went on to the release before, and the good one was rejected."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev", steps=[50, 100])
    for version in ("0.9.0", "1.0.0", "2.0.0"):
        rehearsal.check_out(version)
        delivery.release(rehearsal.context("dev"))
    warm = rehearsal.ledger.wanted(dev.place).blue
    assert warm
    people: list[Process] = []
    for pid in (21, 22):
        ctx = inhabited(rehearsal.context("dev", pid=pid), clock)
        to = warm.release if named else None
        people.append(clock.start(Process(pid), lambda ctx=ctx, to=to: delivery.rollback(ctx, to)))
        clock.sleep(seconds)
    clock.run_until()
    assert [person.error for person in people] == [None, None]
    assert "completed" in {person.answer.status for person in people}
    wanted = rehearsal.ledger.wanted(dev.place)
    assert (wanted.live, wanted.blue, dev.harm) == (Colour.BLUE, warm, [])
    assert [each.rejected and each.rejected.release for each in rehearsal.ledger.rejections(dev.place)] == [
        wanted.green and wanted.green.release
    ]


def test_abort_that_came_too_late_fails_and_says_what_to_do() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.SETTLING)
    with pytest.raises(OperationError, match=r"(?s)past the point of turning back.*slipway rollback dev"):
        delivery.abort(rehearsal.context("dev"))
    assert rehearsal.environment("dev").weights == NEW


def test_abandon_tells_how_a_rollout_ended_that_ended_meanwhile() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    ctx = rehearsal.context("dev")
    with hold_lease(ctx, "slipway abandon dev") as keeper:
        assert give_up(ctx, keeper, "").phase is Phase.COMPLETED


def paused(company: Company) -> None:
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    company.person(delivery.pause)


FORWARD: list[tuple[Callable[..., delivery.Outcome], Callable[[Company], None]]] = [
    (delivery.approve, lambda company: company.until(lambda rollout: rollout.asked_since)),
    (delivery.continue_, paused),
]


@pytest.mark.parametrize(("verb", "waits"), FORWARD, ids=["approve", "continue"])
def test_freeze_that_begins_while_people_are_waited_for_holds_the_traffic(
    verb: Callable[..., delivery.Outcome], waits: Callable[[Company], None]
) -> None:
    company = Company(steps=APPROVED)
    waits(company)
    now = company.clock.now()
    window = {"start": now.isoformat(), "end": (now + timedelta(hours=2)).isoformat(), "reason": "sale"}
    company.dev.rollout = {**company.dev.rollout, "freezeWindows": [window]}
    with pytest.raises(delivery.RefusedError, match="dev is frozen until"):
        company.person(verb)
    company.clock.sleep(120)
    assert (company.weights(), company.rollout.phase) == (HALF, Phase.BAKING)
    ctx = company.rehearsal.context("dev", pid=5)
    verb(ctx, force=True, because="the shop is down")
    company.clock.sleep(120)
    assert any("overridden: the shop is down" in entry.text for entry in company.rollout.journal)
    if verb is delivery.approve:
        assert company.weights() == NEW


def test_step_is_asked_for_again_when_the_traffic_was_moved_meanwhile() -> None:
    """The question stayed open while the step before was set and baked again, and an approval then was for the wrong step."""
    company = Company(steps=APPROVED)
    company.until(lambda rollout: rollout.asked_since)
    company.dev.weights = OLD
    company.until(lambda rollout: rollout.path.count(Phase.BAKING) == 2)
    with pytest.raises(UsageError, match="no step waits"):
        company.person(delivery.approve)
    assert company.remarks() == ""
    company.until(lambda rollout: rollout.asked_since)
    company.person(delivery.approve)
    company.clock.run_until()
    assert (company.weights(), company.owner.error) == (NEW, None)


def test_rollout_that_has_ended_waits_for_nobody() -> None:
    company = Company(strategy="blue-green", steps=[APPROVED[1]])
    company.until(lambda rollout: rollout.asked_since)
    company.kill()
    assert "slipway resume dev" in company.person(delivery.pause).text
    ctx = company.rehearsal.context("dev", pid=5)
    ctx.stack.destroy()
    delivery.forget_destroyed(ctx)
    (ended, _) = company.rehearsal.ledger.history(company.dev.place, 9)
    assert (ended.reason, ended.waits_for) == (Reason.ABORTED, "")


def test_refuses_words_about_a_release_that_turns_back() -> None:
    company = Company(steps=APPROVED)
    company.until(lambda rollout: rollout.asked_since)
    company.kill()
    company.rehearsal.ledger.request_abort(company.dev.place, company.rollout.id, "aborted by grace")
    for verb in (delivery.approve, delivery.pause):
        with pytest.raises(UsageError, match="turning back: aborted by grace"):
            company.person(verb)


def test_pause_between_two_steps_says_which_share_it_holds() -> None:
    company = Company(steps=[10, 50, 100])
    company.dev.weight_lag_seconds = 5
    company.until(lambda rollout: rollout.phase is Phase.SHIFTING and rollout.step == 1)
    assert company.person(delivery.pause).text.startswith("paused at 50 %")


def test_bake_and_approval_do_not_wait_for_a_clock_that_is_behind() -> None:
    company = Company(steps=APPROVED, approvalSeconds=180)
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    company.kill()
    ctx = inhabited(company.rehearsal.context("dev", pid=50), company.clock, skew_seconds=-7200)
    owner = company.clock.start(Process(50), lambda: delivery.resume(ctx))
    began = company.clock.monotonic()
    company.until(lambda rollout: rollout.asked_since)
    assert company.clock.monotonic() - began < 90
    company.clock.sleep(240)
    assert isinstance(owner.error, delivery.ReleaseRolledBackError)
    assert min(company.rollout.timings.values()) >= 0


@pytest.mark.parametrize("skew_seconds", [0, 7200])
@pytest.mark.parametrize("away_seconds", [40, 4000])
def test_bake_takes_its_time_whatever_the_clock_of_who_takes_it_up(skew_seconds: float, away_seconds: float) -> None:
    """By a clock that is two hours ahead, or after an hour without a process, the bake was over before anybody had looked."""
    company = Company(steps=[10, 100], bakeSeconds=300)
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    company.clock.sleep(60)
    company.kill()
    company.clock.sleep(away_seconds)
    ctx = inhabited(company.rehearsal.context("dev", pid=50), company.clock, skew_seconds=skew_seconds)
    began = company.clock.monotonic()
    company.clock.start(Process(50), lambda: delivery.resume(ctx))
    company.until(lambda rollout: rollout.step == 1)
    assert 200 < company.clock.monotonic() - began < 360


def test_approval_has_as_long_left_as_it_had_by_a_clock_that_is_ahead() -> None:
    company = Company(steps=APPROVED, approvalSeconds=180)
    company.until(lambda rollout: rollout.asked_since)
    company.clock.sleep(60)
    company.kill()
    ctx = inhabited(company.rehearsal.context("dev", pid=50), company.clock, skew_seconds=7200)
    owner = company.clock.start(Process(50), lambda: delivery.resume(ctx))
    company.clock.sleep(60)
    assert company.rollout.asked_since
    company.clock.sleep(120)
    assert isinstance(owner.error, delivery.ReleaseRolledBackError)


def test_pause_goes_on_by_a_clock_that_is_ahead_and_the_bake_has_what_it_had_left() -> None:
    company = Company(steps=[10, 100], bakeSeconds=300)
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    company.person(delivery.pause)
    company.clock.sleep(60)
    company.kill()
    company.clock.sleep(500)
    ctx = inhabited(company.rehearsal.context("dev", pid=50), company.clock, skew_seconds=7200)
    company.clock.start(Process(50), lambda: delivery.resume(ctx))
    company.clock.sleep(60)
    company.person(delivery.continue_)
    began = company.clock.monotonic()
    company.until(lambda rollout: rollout.step == 1)
    assert 200 < company.clock.monotonic() - began < 330


@pytest.mark.parametrize("verb", [delivery.contract, delivery.retire])
def test_force_says_nothing_of_a_release_that_only_this_verb_brings_to_its_end(
    verb: Callable[..., delivery.Outcome],
) -> None:
    """It came live, and lost its instant way back and its older schema in the same second."""
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    left_in(rehearsal, Phase.BAKING)
    with pytest.raises(delivery.RefusedError, match="rollback window is open"):
        verb(rehearsal.context("dev"), force=True, because="clean up")
    assert any("--force was given for" in event.text for event in rehearsal.events)
    assert (dev.weights, dev.applied, set(dev.running)) == (NEW, ["0001"], {Colour.BLUE, Colour.GREEN})
    assert verb(rehearsal.context("dev"), force=True, because="clean up").status == "completed"
    assert set(dev.running) == {Colour.BLUE}


def test_force_says_nothing_of_a_release_that_came_live_while_one_waited_for_the_lease() -> None:
    company = Company()
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    ctx = inhabited(company.rehearsal.context("dev", pid=5, lease_wait_seconds=1000), company.clock)
    person = company.clock.start(Process(5), lambda: delivery.retire(ctx, force=True, because="clean up"))
    company.clock.run_until()
    assert isinstance(person.error, delivery.RefusedError)
    assert set(company.dev.running) == {Colour.BLUE, Colour.GREEN}
