"""Verbs at the wrong moment: in a freeze, after the end, beside a way back, on machines whose clocks differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from slipway import delivery
from slipway.delivery.events import Event, PhaseEntered
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.cadence import AWS
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.sizing import HOLD_SECONDS
from slipway.delivery.testing.clock import SkewedClock
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.delivery.way_back import give_up
from slipway.errors import OperationError, UsageError
from tests.unit.delivery.interrupting import (
    CONTRACT,
    EXPAND,
    NEW,
    OLD,
    check_out_bad,
    company,
    killed_when,
    left_in,
    seconds_until,
    watch_weights,
)
from tests.unit.delivery.test_delivery_capacity import busy_company
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


@pytest.mark.parametrize("verb", [delivery.abort, delivery.abandon])
@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.4])
def test_who_wants_a_release_ended_does_not_end_the_way_back_that_another_one_began(
    verb: Callable[..., delivery.Outcome], seconds: float
) -> None:
    """`abort` turned round the rollback of somebody else, and users were on the bad release again."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev", steps=[50, 100])
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version)
        delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0")
    owner = Process(11)
    ctx = inhabited(rehearsal.context("dev", pid=11), clock)

    ledger = rehearsal.ledger
    assert isinstance(ledger, MemoryLedger)

    def die(what: str) -> None:
        if what.startswith("entered settling"):
            owner.fuse = 0

    ledger.after_write = die
    clock.start(owner, lambda: delivery.release(ctx))
    clock.run_until()
    ledger.after_write = lambda _what: None
    people: list[Process] = []
    for pid, act in ((21, delivery.rollback), (22, verb)):
        person = inhabited(rehearsal.context("dev", pid=pid), clock)
        people.append(clock.start(Process(pid), lambda act=act, person=person: act(person)))
        clock.sleep(seconds)
    clock.run_until()
    assert (people[0].error, people[0].answer.status) == (None, "completed")
    assert (dev.weights, dev.harm) == (NEW, [])
    running = rehearsal.ledger.wanted(dev.place).colour(Colour.BLUE)
    assert running
    assert running.version == "2.0.0"
    told = str(people[1].error or people[1].answer.text)
    assert "past the point of turning back" in told


def test_rollback_after_a_release_from_a_machine_whose_clock_is_behind_is_not_taken_for_told() -> None:
    """The release that was turned back was not among the newest by clock: each `rollback` told of it anew, and moved nothing."""
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    for number in range(2, 13):
        rehearsal.clock.sleep(60)
        rehearsal.check_out(f"{number}.0.0")
        delivery.release(rehearsal.context("dev"))
    check_out_bad(rehearsal, "13.0.0", error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev", pid=2, skew_seconds=-3600))
    rehearsal.clock.sleep(600)
    assert delivery.rollback(rehearsal.context("dev", pid=3)).status == "completed"
    wanted = rehearsal.ledger.wanted(dev.place)
    running = wanted.colour(wanted.live) if wanted.live else None
    assert running
    assert running.version == "11.0.0"


@pytest.mark.parametrize("skew_seconds", [-7200, 7200])
def test_rollback_window_is_that_of_the_release_that_came_last_whatever_the_clocks_said_before(
    skew_seconds: float,
) -> None:
    rehearsal = company("1.0.0", rollbackWindowSeconds=60)
    for version, skew in (("2.0.0", skew_seconds), ("3.0.0", 0.0)):
        rehearsal.check_out(version)
        delivery.release(rehearsal.context("dev", skew_seconds=skew))
    with pytest.raises(delivery.RefusedError, match="rollback"):
        delivery.retire(rehearsal.context("dev"))
    rehearsal.clock.sleep(61)
    assert delivery.retire(rehearsal.context("dev")).status == "completed"


def test_checkout_that_changes_while_its_image_is_built_is_no_release() -> None:
    """The image got the commit, version and migrations of what was checked out meanwhile."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev", steps=[50, 100])
    rehearsal.check_out("1.0.0")
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("2.0.0")
    dev.up_seconds = 30
    ctx = inhabited(rehearsal.context("dev"), clock)
    releasing = clock.start(Process(11), lambda: delivery.release(ctx))
    clock.sleep(10)
    rehearsal.check_out("9.9.9", building=None)
    clock.run_until()
    assert isinstance(releasing.error, UsageError)
    assert "the checkout changed while its image was built" in releasing.error.what
    assert [each.version for each in rehearsal.ledger.releases("orders")] == ["1.0.0"]


def test_resume_says_what_it_did_of_what_was_owed_and_what_is_left() -> None:
    """It said "no rollout is under way" either way."""
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "3.0.0", error_ratio=0.5)
    left_in(rehearsal, Phase.BAKING)
    dev.up_fault = "the quota is used up"
    assert delivery.rollback(rehearsal.context("dev")).status == "rolled-back"
    outcome = delivery.resume(rehearsal.context("dev"))
    assert (outcome.status, outcome.text) == ("unchanged", "no rollout of orders in dev is under way; still owed: up")
    dev.up_fault = ""
    outcome = delivery.resume(rehearsal.context("dev"))
    assert (outcome.status, outcome.text) == ("completed", "done, which was owed: up")


def on_another_machine(
    verb: Callable[[delivery.Context], delivery.Outcome], skew_seconds: float
) -> Callable[[delivery.Context], delivery.Outcome]:
    """The verb by a process whose clock is ahead."""
    return lambda ctx: verb(replace(ctx, clock=SkewedClock(ctx.clock, skew_seconds)))


def retire(ctx: delivery.Context) -> delivery.Outcome:
    return delivery.retire(ctx, force=True, because="drill")


@pytest.mark.parametrize("skew_seconds", [0, 7200, -7200])
@pytest.mark.parametrize(("verb", "phase"), [(delivery.rehearse, Phase.CLEANING), (retire, Phase.RETIRING)])
def test_nodes_of_the_load_balancer_are_waited_for_as_long_by_whatever_clock(
    verb: Callable[[delivery.Context], delivery.Outcome], phase: Phase, skew_seconds: float
) -> None:
    """Taken up from a clock that was two hours ahead it hung as long; from one behind, the next `up` replaced pods too early."""
    rehearsal = company("1.0.0", "2.0.0")
    dev, rehearsal.cadence = rehearsal.environment("dev"), AWS
    dev.nodes_lag_seconds, dev.up_seconds = AWS.settle_seconds - 0.5, 0.1
    left_in(rehearsal, phase, on_another_machine(verb, skew_seconds))
    began = dev.clock.monotonic()
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert dev.clock.monotonic() - began < 3 * AWS.settle_seconds
    rehearsal.check_out("3.0.0")
    delivery.release(rehearsal.context("dev"), pace=Pace(bake_seconds=0, minimum_requests=0))
    assert dev.harm == []


def test_rollback_does_not_wait_for_the_clock_of_who_rehearsed() -> None:
    """The way forward of a rehearsal was confirmed, and `abort` and `rollback` waited until their own clock said so, too."""
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, Phase.CLEANING, on_another_machine(delivery.rehearse, 90))
    left_in(rehearsal, Phase.CLEANING, delivery.abort)
    began, seen = dev.clock.now(), watch_weights(dev)
    delivery.rollback(rehearsal.context("dev"))
    assert seconds_until(seen, began, OLD) < 3


@pytest.mark.parametrize("skew_seconds", [0, 7200, -7200])
def test_pods_are_kept_by_the_clock_of_who_takes_a_rollout_up(skew_seconds: float) -> None:
    """Taken up from a clock that was behind, floors had run out before they began."""
    rehearsal = company("1.0.0", rollbackWindowSeconds=1800)
    dev = rehearsal.environment("dev")
    dev.pods.requests_per_pod, dev.pods.maximum, dev.pods.autoscaler_seconds = 10, 12, 0
    dev.clock.sleep(1)
    dev.pass_time()
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.SETTLING, on_another_machine(delivery.release, skew_seconds))
    delivery.resume(rehearsal.context("dev"))
    now, floors = rehearsal.clock.now(), rehearsal.ledger.wanted(dev.place).floors
    kept = {colour: (floor.until - now).total_seconds() for colour, floor in floors.items() if floor.until}
    assert kept == {Colour.BLUE: pytest.approx(HOLD_SECONDS, abs=5), Colour.GREEN: pytest.approx(1800, abs=5)}


@pytest.mark.parametrize("away_seconds", [0, 3600])
def test_seconds_until_the_traffic_was_back_are_those_that_users_waited(away_seconds: float) -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)
    left_in(rehearsal, Phase.RETURNING, on_another_machine(delivery.release, 0 if away_seconds else 7200))
    dev.clock.sleep(away_seconds)
    with pytest.raises(delivery.ReleaseRolledBackError) as error:
        delivery.resume(rehearsal.context("dev"))
    assert away_seconds <= error.value.rollout.timings["weights_back"] < away_seconds + 5


def test_candidate_is_judged_while_it_waits_for_pods_whatever_the_clock_of_who_judged_it_before() -> None:
    """Taken up from a clock that was two hours ahead it was not judged until then, and its next share came unseen."""
    rehearsal = busy_company(steps=[50, 100], bakeSeconds=5, sizeSeconds=600)
    dev = rehearsal.environment("dev")
    bad = check_out_bad(rehearsal, "2.0.0")

    def waits_for_pods(event: Event) -> bool:
        return isinstance(event, PhaseEntered) and event.phase is Phase.SIZING and bool(event.rollout.baking_since)

    killed_when(rehearsal, on_another_machine(delivery.release, 7200), waits_for_pods)
    dev.pods.room, dev.behaviour[bad] = 45, Behaviour(error_ratio=0.5)
    began = dev.clock.monotonic()
    with pytest.raises(delivery.ReleaseRolledBackError) as error:
        delivery.resume(rehearsal.context("dev"))
    assert error.value.rollout.reason is Reason.ERRORS_ABOVE_LIMIT
    assert dev.clock.monotonic() - began < 60


def test_release_right_after_a_rollback_that_was_given_up_replaces_nothing_that_nodes_still_send_requests_to() -> None:
    """An `up` was owed for a while already, so nothing waited between the move back and the next release."""
    rehearsal = company("1.0.0", "2.0.0")
    dev, rehearsal.cadence = rehearsal.environment("dev"), AWS
    dev.nodes_lag_seconds, dev.up_seconds = AWS.settle_seconds - 0.5, 0.1
    dev.clock.sleep(60)
    rehearsal.check_out("3.0.0")
    left_in(rehearsal, Phase.WAITING)
    dev.up_fault = "quota exceeded"
    delivery.abandon(rehearsal.context("dev"))
    assert [item.attempts for item in rehearsal.ledger.owed(dev.place) if item.debt is Debt.UP] == [1]
    dev.clock.sleep(600)
    dev.up_fault = ""
    left_in(rehearsal, Phase.VERIFYING, lambda ctx: delivery.rollback(ctx, force=True, because="drill"))
    delivery.abandon(rehearsal.context("dev"))
    delivery.release(
        rehearsal.context("dev"), force=True, because="drill", pace=Pace(bake_seconds=0, minimum_requests=0)
    )
    assert dev.harm == []


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


def test_remedy_for_a_skipped_contract_migration_names_the_release_that_is_missing() -> None:
    """It said to run `slipway contract`, which answered that none is pending: what was live did not know it."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("3.0.0", revisions=[EXPAND, CONTRACT, Revision(id="0003", phase=MigrationPhase.EXPAND)])
    with pytest.raises(delivery.RefusedError) as refused:
        delivery.release(rehearsal.context("dev"))
    (refusal,) = refused.value.refusals
    assert refusal.gate == "pending-contract"
    assert "first bring a release here that ends with it" in refusal.remedy


def test_remedy_for_a_release_that_is_overtaken_names_the_ways_that_are_open() -> None:
    """It named `rollback --to` alone, which is for what was live here."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    delivery.abort(rehearsal.context("dev"))
    delivery.lift(rehearsal.context("dev"), because="it was in order")
    rehearsal.check_out("3.0.0")
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("2.0.0")
    with pytest.raises(delivery.RefusedError) as refused:
        delivery.release(rehearsal.context("dev"))
    (refusal,) = refused.value.refusals
    assert (refusal.gate, "--force --because REASON" in refusal.remedy) == ("order", True)
    outcome = delivery.release(rehearsal.context("dev"), force=True, because="the newer one has to go")
    assert outcome.status == "completed"
