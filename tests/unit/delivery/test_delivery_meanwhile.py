"""What becomes true while a rollout is under way: a freeze, a rejection upstream, a lost answer at the end, words about another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.contract.colour_settings import ColourSettings
from slipway.contract.freeze import FreezeWindow
from slipway.delivery.events import ActionStarted
from slipway.delivery.explaining import explain
from slipway.delivery.gating import refusals_before_step
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import SimulatedEnvironment
from slipway.errors import NotFoundError, OperationError, UsageError
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
from tests.unit.delivery.test_delivery_people import HALF, Company

ROUTES = [{"header": {"name": "X-Canary", "value": "always"}}]
APPROVED_AT_THE_END = [50, {"percent": 100, "approval": True}]


def frozen(dev: SimulatedEnvironment, seconds: float) -> None:
    """From now on, for so long."""
    now = dev.clock.now()
    window = {"start": now.isoformat(), "end": (now + timedelta(seconds=seconds)).isoformat(), "reason": "sale"}
    dev.rollout = {**dev.rollout, "freezeWindows": [window]}


def two_environments(**prod: Any) -> tuple[Rehearsal, SimulatedEnvironment]:
    """1.0.0 is live in both, 2.0.0 in dev."""
    rehearsal = Rehearsal(clock=SharedClock())
    rehearsal.environment("dev")
    upper = rehearsal.environment("prod", **{"promoteFrom": "dev", "steps": [50, 100], "bakeSeconds": 60} | prod)
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version, revisions=[EXPAND])
        delivery.release(rehearsal.context("dev"))
        if version == "1.0.0":
            delivery.promote(rehearsal.context("prod"), "dev")
    return rehearsal, upper


def promotion(rehearsal: Rehearsal, upper: SimulatedEnvironment, until: Callable[[Any], object]) -> Process:
    clock: Any = rehearsal.clock
    process = clock.start(
        Process(11), lambda: delivery.promote(inhabited(rehearsal.context("prod", pid=11), clock), "dev")
    )
    while not ((rollout := rehearsal.ledger.rollout(upper.place)) and rollout.path and until(rollout)):
        clock.sleep(0.5)
    return process


@pytest.mark.parametrize("steps", [APPROVED_AT_THE_END, [50, 100]])
def test_release_that_is_rejected_upstream_meanwhile_gets_no_more_traffic(steps: list[Any]) -> None:
    """Where it waited at 50 % for an approval it was approved, and went to 100 %."""
    rehearsal, upper = two_environments(steps=steps)
    begun: Any = rehearsal.ledger.rollout(upper.place)
    process = promotion(rehearsal, upper, lambda rollout: rollout.id != begun.id and rollout.phase is Phase.BAKING)
    delivery.rollback(rehearsal.context("dev", pid=3))
    clock: Any = rehearsal.clock
    clock.run_until()
    assert isinstance(process.error, delivery.ReleaseRolledBackError)
    ended = process.error.rollout
    assert ended.reason is Reason.REJECTED_UPSTREAM
    assert "was rejected in dev" in ended.reason_text
    assert Phase.VERIFYING not in ended.path
    assert upper.weights.of(ended.colour) == 0


def test_release_that_was_forced_past_a_rejection_goes_on() -> None:
    rehearsal, upper = two_environments()
    release: Any = rehearsal.ledger.wanted(rehearsal.environment("dev").place).colour(Colour.BLUE)
    delivery.rollback(rehearsal.context("dev"))
    context = rehearsal.context("prod")
    outcome = delivery.promote(context, "dev", release_id=release.release, force=True, because="it is dev's disk")
    assert outcome.status == "completed"
    assert not upper.harm


@pytest.mark.parametrize("phase", [Phase.DEPLOYING, Phase.BAKING])
def test_freeze_that_begins_meanwhile_holds_the_next_step_until_it_ends(phase: Phase) -> None:
    """50 and 100 % followed in the freeze."""
    people = Company(sizeSeconds=30)
    people.until(lambda rollout: rollout.phase is phase)
    held = HALF if phase is Phase.BAKING else OLD
    frozen(people.dev, 600)
    people.clock.sleep(500)
    assert people.weights() == held
    assert "dev is frozen until" in people.remarks()
    assert "the traffic stays where it is until then" in people.remarks()
    people.clock.run_until()
    assert people.owner.error is None
    assert people.weights() == NEW
    told = [entry.text for entry in people.rollout.journal]
    assert "the freeze window is over" in told


def test_freeze_that_a_person_overrides_holds_nothing_of_this_rollout_any_more() -> None:
    people = Company(steps=[10, {"percent": 50, "approval": True}, 100])
    people.until(lambda rollout: rollout.asked_since)
    frozen(people.dev, 100_000)
    delivery.approve(people.rehearsal.context("dev", pid=5), because="it must be now", force=True)
    people.clock.run_until()
    assert people.owner.error is None
    assert people.weights() == NEW
    assert any(text.startswith("freeze: dev is frozen") for text in people.rollout.forced)


def test_rollout_under_way_outlives_a_stack_file_that_cannot_be_read() -> None:
    people = Company()
    people.until(lambda rollout: rollout.phase is Phase.BAKING)

    def unreadable() -> RolloutSettings:
        raise UsageError("Pulumi.dev.yaml cannot be read")

    context = replace(people.rehearsal.context("dev"), declared=unreadable)
    assert refusals_before_step(context, people.rollout) == ("", "")
    window = FreezeWindow(start=people.clock.now(), end=people.clock.now() + timedelta(hours=1), reason="sale")
    target = people.rehearsal.ledger.target(people.dev.place)
    assert target
    rollout = target.rollout.model_copy(update={"freeze_windows": (window,)})
    people.rehearsal.ledger.register(target.model_copy(update={"rollout": rollout}))
    frozen_until, rejected = refusals_before_step(context, people.rollout)
    assert ("sale" in frozen_until, rejected) == (True, "")


@pytest.mark.parametrize("left", [Phase.BAKING, Phase.SIZING])
def test_force_for_one_release_brings_no_other_one_to_its_end(left: Phase) -> None:
    """It brought the rejected one, which a dead process had left at 50 %, to 100 % first."""
    rehearsal, upper = two_environments()
    left_in(rehearsal, left, lambda ctx: delivery.promote(in_prod(rehearsal, ctx), "dev"))
    delivery.rollback(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    with pytest.raises(delivery.RefusedError, match="was left in phase") as caught:
        delivery.promote(rehearsal.context("prod"), "dev", force=True, because="3.0.0 mends it")
    assert "slipway abort prod" in str(caught.value.refusals[0].remedy)
    assert "slipway resume prod --force" in str(caught.value.refusals[0].remedy)
    delivery.abort(rehearsal.context("prod"))
    assert delivery.promote(rehearsal.context("prod"), "dev").status == "completed"
    assert not upper.harm


def in_prod(rehearsal: Rehearsal, ctx: delivery.Context) -> delivery.Context:
    return replace(rehearsal.context("prod", pid=7), progress=ctx.progress)


@pytest.mark.parametrize("verb", [delivery.release, delivery.rollback])
def test_abandon_leaves_a_rollout_that_has_ended_as_it_ended(verb: Callable[..., delivery.Outcome]) -> None:
    """An answer that was lost after the end made a completed rollout one that was rolled back, with the traffic of before."""
    rehearsal = company("1.0.0") if verb is delivery.release else company("1.0.0", "2.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    dev = rehearsal.environment("dev")
    left_in(rehearsal, Phase.SETTLING, verb)
    weights, register, lost = dev.weights, rehearsal.ledger.register, list[Target]()

    def once(target: Target) -> None:
        register(target)
        lost.append(target)
        if len(lost) == 1:
            raise OperationError("the ledger does not answer")

    rehearsal.ledger.register = once  # type: ignore[method-assign]
    outcome = delivery.abandon(rehearsal.context("dev"))
    assert outcome.status == "completed"
    dev.settle_weights()
    wanted = rehearsal.ledger.wanted(dev.place)
    assert (dev.weights, wanted.weights) == (weights, weights)
    assert wanted.weights.of(wanted.live or Colour.BLUE) == 100
    assert delivery.history(rehearsal.context("dev"), 1)[0].phase is Phase.COMPLETED
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    assert delivery.release(rehearsal.context("dev")).status == "completed"


@pytest.mark.parametrize("verb", [delivery.rollback, delivery.abandon])
def test_rules_that_cannot_be_taken_away_keep_no_traffic_from_its_way_back(
    verb: Callable[..., delivery.Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollback failed after 8 s, each time, and its remedy, `abandon`, left weights and ledger apart."""
    rehearsal = company("1.0.0", routes=ROUTES)
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    left_in(rehearsal, Phase.SETTLING)
    dev = rehearsal.environment("dev")

    def refuse(_self: object, _routes: object) -> None:
        raise OperationError("AccessDenied: DeleteRule")

    with monkeypatch.context() as broken:
        broken.setattr(SimulatedEnvironment, "set_routes", refuse)
        began, seen = dev.clock.now(), watch_weights(dev)
        if verb is delivery.abandon:
            assert "the load balancer still has" in verb(rehearsal.context("dev")).text
        else:
            with pytest.raises(OperationError, match="settling failed"):
                verb(rehearsal.context("dev"))
    if verb is delivery.rollback:
        assert seconds_until(seen, began, OLD) < 3
    delivery.resume(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    assert delivery.release(rehearsal.context("dev")).status == "completed"


def test_bad_settings_of_an_image_leave_the_warm_release_of_it_a_way_back() -> None:
    """The whole image was rejected, also as it ran before with good settings, so nothing was left to go back to."""
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    warm: Any = rehearsal.ledger.wanted(dev.place).colour(Colour.GREEN)
    dev.settings = ColourSettings(template='{"memory": "32Mi"}')
    check_out_bad(rehearsal, "1.0.0", healthy=False)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    outcome = delivery.rollback(rehearsal.context("dev"))
    assert outcome.release
    assert outcome.release.id == warm.release


def test_rollback_to_a_release_brings_settings_that_were_live_not_those_that_failed() -> None:
    """A release that was promoted with too little memory came back with it."""
    rehearsal, upper = two_environments(bakeSeconds=5)
    delivery.promote(rehearsal.context("prod"), "dev")
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    delivery.promote(rehearsal.context("prod"), "dev")
    ran = [past.candidate for past in delivery.history(rehearsal.context("prod"), 9)]
    good = next(candidate for candidate in ran if candidate and candidate.version == "1.0.0")
    upper.settings, upper.failing_ups = ColourSettings(template='{"memory": "32Mi"}'), 1
    context = rehearsal.context("prod")
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.promote(context, "dev", release_id=good.release, force=True, because="memory is dear")
    outcome = delivery.rollback(rehearsal.context("prod"), good.release, force=True, because="known good")
    assert outcome.rollout
    assert outcome.rollout.candidate
    assert outcome.rollout.candidate.settings
    assert "32Mi" not in outcome.rollout.candidate.settings.template


def test_rollback_to_a_release_that_is_not_there_stops_nobody() -> None:
    """A typo turned a good release back, and rejected it."""
    people = Company()
    people.until(lambda rollout: rollout.phase is Phase.BAKING)
    with pytest.raises(NotFoundError, match="r-typo"):
        delivery.rollback(people.rehearsal.context("dev", pid=5), "r-typo")
    people.clock.run_until()
    assert people.owner.error is None
    assert people.weights() == NEW


def test_release_that_is_superseded_between_two_attempts_is_not_rejected() -> None:
    rehearsal = company("1.0.0", retries=2)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    dev.failing_ups = 1
    left_in(rehearsal, Phase.CLEANING)
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev", pid=8), supersede=True)
    assert not rehearsal.ledger.rejections(dev.place)
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    assert delivery.release(rehearsal.context("dev"), force=True, because="after all").status == "completed"


def test_attempt_that_another_process_begins_is_told_while_it_waits_for_an_approval() -> None:
    """All was sent at the end: nobody knew for a day that an approval was waited for."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev", steps=[{"percent": 50, "approval": True}, 100], retries=1)
    rehearsal.check_out("1.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    dev.failing_ups = 1
    left_in(rehearsal, Phase.CLEANING)
    dev.notifications.clear()
    process = clock.start(Process(11), lambda: delivery.resume(inhabited(rehearsal.context("dev", pid=11), clock)))
    clock.sleep(600)
    assert not process.ended
    told = [str(each) for each in dev.notifications]
    assert any("on-rollout-retried" in each for each in told), told
    delivery.abort(rehearsal.context("dev", pid=5))
    clock.run_until()


def test_contract_that_is_aborted_before_its_migrations_takes_nothing_away() -> None:
    """It was told as rolled back, and the `up` that it owed took the warm colour away."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    dev = rehearsal.environment("dev")
    rehearsal.clock.sleep(4000)
    before = rehearsal.ledger.wanted(dev.place).releases()
    killed_when(rehearsal, delivery.contract, lambda event: isinstance(event, ActionStarted) and "take" in event.text)
    assert rehearsal.ledger.wanted(dev.place).releases() != before
    delivery.abort(rehearsal.context("dev"))
    assert rehearsal.ledger.wanted(dev.place).releases() == before
    assert {colour: release for colour, (release, _) in dev.running.items()} == before
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"


def test_dry_run_of_a_rollback_says_what_becomes_of_the_release_under_way() -> None:
    """It told of an older release, or that there was none; the verb itself turns the one under way back."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    left_in(rehearsal, Phase.BAKING)
    would = delivery.rollback(rehearsal.context("dev"), dry_run=True)
    assert (would.status, would.plan) == ("planned", None)
    assert "is under way: a rollback brings the traffic back to blue 0 %, green 100 %" in would.text
    assert delivery.rollback(rehearsal.context("dev")).status == "rolled-back"


def test_dry_run_and_explain_say_that_a_rollback_brings_back_what_was_abandoned() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    left_in(rehearsal, Phase.BAKING)
    dev = rehearsal.environment("dev")
    dev.balancer_fault = "unreachable"
    delivery.abandon(rehearsal.context("dev"))
    dev.balancer_fault = ""
    text = "the traffic to blue 0 %, green 100 %, as it was to be"
    assert text in delivery.rollback(rehearsal.context("dev"), dry_run=True).text
    (answer,) = [each for each in delivery.explain(rehearsal.context("dev")).verbs if "rollback" in each.command]
    assert (answer.possible, text in answer.text) == (True, True)
    assert delivery.rollback(rehearsal.context("dev")).status == "rolled-back"
    assert dev.weights == OLD


def test_checkout_whose_image_is_not_built_is_not_judged_by_the_one_before() -> None:
    """After each rollback `explain` and the dry run said that the next release was rejected, and to force it."""
    rehearsal = company("1.0.0", "2.0.0")
    delivery.rollback(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    context = rehearsal.context("dev")
    (answer,) = [each for each in delivery.explain(context).verbs if "release" in each.command]
    assert answer.possible, answer.text
    plan = delivery.release(context, dry_run=True).plan
    assert plan
    assert not plan.refusals
    assert delivery.release(context).status == "completed"


@pytest.mark.parametrize("rehearsals", [12, 60])
def test_rehearsals_do_not_close_the_rollback_window(rehearsals: int) -> None:
    """After 51 of them nothing was known of the release any more: `retire` passed, and there was no way back."""
    rehearsal = company("1.0.0", "2.0.0", rollbackWindowSeconds=7 * 86_400)
    for _ in range(rehearsals):
        delivery.rehearse(rehearsal.context("dev"))
    rehearsal.clock.sleep(86_400)
    (status,) = delivery.status(rehearsal.context("dev"))
    assert status.warm_until
    with pytest.raises(delivery.RefusedError, match="rollback window"):
        delivery.retire(rehearsal.context("dev"))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"


def test_rollback_does_not_switch_to_pods_that_an_aborted_contract_is_taking_away() -> None:
    """It gave them all of the traffic, and the contract's `up` took them away."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev")
    for version, revisions in (("1.0.0", [EXPAND]), ("2.0.0", [EXPAND, CONTRACT])):
        rehearsal.check_out(version, revisions=revisions)
        delivery.release(rehearsal.context("dev"))
    clock.sleep(4000)
    dev.up_seconds = 90
    clock.start(Process(11), lambda: delivery.contract(inhabited(rehearsal.context("dev", pid=11), clock)))
    clock.sleep(20)
    person = clock.start(Process(12), lambda: delivery.rollback(inhabited(rehearsal.context("dev", pid=12), clock)))
    clock.run_until()
    assert (person.error, dev.harm) == (None, [])
    live = rehearsal.ledger.wanted(dev.place).live
    assert live
    assert (dev.running[live][0].version, dev.weights.of(live)) == ("1.0.0", 100)


def test_owner_of_an_abandoned_release_is_not_told_that_its_traffic_is_back() -> None:
    scene = Company()
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    scene.dev.balancer_fault = "no answer"
    scene.person(delivery.abandon)
    scene.clock.run_until()
    assert isinstance(scene.owner.error, delivery.ReleaseRolledBackError)
    assert "nobody has confirmed that its traffic is back" in str(scene.owner.error)


def test_explain_tells_that_a_pause_can_be_ended_which_holds_the_next_attempt() -> None:
    scene = Company(retries=1)
    scene.dev.up_seconds, scene.dev.failing_ups = 20, 1
    scene.until(lambda rollout: rollout.phase is Phase.DEPLOYING)
    scene.person(delivery.pause)
    scene.until(lambda rollout: rollout.phase is Phase.CLEANING)

    def answer() -> tuple[bool, str]:
        verbs = explain(scene.rehearsal.context("dev", pid=5)).verbs
        return next((each.possible, each.text) for each in verbs if each.command == "slipway continue dev")

    assert answer() == (True, "ends the pause")
    scene.person(delivery.continue_)
    assert answer() == (False, "it is not paused")
    scene.clock.run_until()
    assert scene.rollout.phase is Phase.COMPLETED


def test_contract_that_fails_before_its_migrations_is_not_said_to_be_owed() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    rehearsal.clock.sleep(4000)
    rehearsal.environment("dev").up_fault = "quota exceeded"
    with pytest.raises(OperationError, match="contract was given up") as caught:
        delivery.contract(rehearsal.context("dev"))
    assert "owed" not in str(caught.value.remedy)


def test_nobody_is_told_to_force_a_way_back_that_cannot_be_forced() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    rehearsal.clock.sleep(4000)
    delivery.contract(rehearsal.context("dev"))
    with pytest.raises(NotFoundError, match="no earlier release that may come back") as caught:
        delivery.rollback(rehearsal.context("dev"))
    assert caught.value.remedy == "go forward with a corrected release"


def test_lifting_without_a_name_does_not_lift_two_releases_of_one_image() -> None:
    rehearsal = company("1.0.0")
    for hashed in ("d", "e"):
        rehearsal.facts_now = replace(rehearsal.facts_now, config_hash=hashed * 64)
        left_in(rehearsal, Phase.BAKING)
        delivery.abort(rehearsal.context("dev"))
    (record,) = rehearsal.ledger.rejections(rehearsal.environment("dev").place)
    assert record.rejected
    assert len(record.rejected.releases) == 2
    with pytest.raises(UsageError, match="several are rejected here"):
        delivery.lift(rehearsal.context("dev"), because="drill")
    assert delivery.lift(rehearsal.context("dev"), record.rejected.releases[0], because="drill").status == "completed"
