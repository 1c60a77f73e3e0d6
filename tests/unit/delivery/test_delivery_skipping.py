"""A bake that a person ends early: said with a reason, heard once, and never past a verdict against the release."""

from __future__ import annotations

from datetime import timedelta

import pytest

from slipway import delivery
from slipway.delivery.events import Analysed, Event
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.testing.world import Behaviour
from slipway.errors import NotFoundError, UsageError
from tests.unit.delivery.interrupting import NEW, OLD, check_out_bad, company, killed_when
from tests.unit.delivery.test_delivery_people import APPROVED, HALF, Company


def baking(**rollout: object) -> Company:
    scene = Company(**{"bakeSeconds": 600} | rollout)
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    scene.clock.sleep(5)
    return scene


@pytest.mark.parametrize("killed", [False, True])
def test_skip_moves_on_to_the_next_step_which_bakes_as_long_as_ever(killed: bool) -> None:
    scene = baking()
    if killed:
        scene.kill()
    said = scene.person(delivery.skip, "the fix is urgent")
    assert said.text.startswith("the bake at 50 % is ended early, without the judge's verdict")
    assert ("slipway resume dev" in said.text) is killed
    if killed:
        scene.work(delivery.resume)
    scene.clock.sleep(4)
    assert (scene.weights(), scene.rollout.step, scene.rollout.phase) == (NEW, 1, Phase.BAKING)
    scene.clock.sleep(500)
    assert scene.rollout.phase is Phase.BAKING
    scene.clock.run_until()
    assert (scene.owner.error, scene.rollout.phase) == (None, Phase.COMPLETED)
    assert [word.because for word in scene.rollout.skipped.values()] == ["the fix is urgent"]
    told = [entry.text for entry in scene.rollout.journal if entry.event == "heard"]
    assert len(told) == 1
    assert told[0].startswith("the bake at 50 % is ended early by ada@bench (process 5) at 2026-01-05")
    assert told[0].endswith(": the fix is urgent")
    assert "on-rollout-updated" in scene.dev.notifications


def test_skip_of_the_last_bake_still_verifies_the_release() -> None:
    scene = baking(strategy="blue-green")
    scene.person(delivery.skip, "the fix is urgent")
    scene.clock.sleep(5)
    assert (scene.rollout.phase, Phase.VERIFYING in scene.rollout.path) == (Phase.COMPLETED, True)
    scene.clock.run_until()
    assert scene.owner.error is None


def test_skip_does_not_stand_for_an_approval() -> None:
    scene = baking(steps=APPROVED)
    scene.person(delivery.skip, "the fix is urgent")
    scene.clock.sleep(60)
    assert (scene.weights(), bool(scene.rollout.asked_since)) == (HALF, True)
    with pytest.raises(UsageError, match="100 % waits for approval"):
        scene.person(delivery.skip, "once more")


def test_skip_is_said_once_and_a_step_that_bakes_again_bakes() -> None:
    scene = baking()
    scene.kill()
    scene.person(delivery.skip, "the fix is urgent")
    assert scene.person(delivery.skip, "once more").status == "unchanged"
    scene.dev.weights = (
        OLD  # somebody moves the traffic: the step is set again, and what was said is of the bake before
    )
    scene.work(delivery.resume)
    scene.clock.sleep(30)
    assert (scene.weights(), scene.rollout.step, scene.rollout.bake) == (HALF, 0, 2)


def test_bad_release_is_turned_back_however_early_its_bake_was_to_end() -> None:
    scene = baking()
    scene.kill()
    assert scene.rollout.candidate
    scene.dev.behaviour[scene.rollout.candidate.release] = Behaviour(error_ratio=0.5)
    scene.person(delivery.skip, "the fix is urgent")
    scene.work(delivery.resume)
    scene.clock.run_until()
    assert (scene.rollout.reason, scene.weights()) == (Reason.ERRORS_ABOVE_LIMIT, OLD)
    assert scene.rollout.skipped == {}


def test_refuses_to_skip_where_the_last_verdict_is_fail() -> None:
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)

    def fails(event: Event) -> bool:
        return isinstance(event, Analysed) and event.text.startswith("fail")

    killed_when(rehearsal, delivery.release, fails)
    with pytest.raises(delivery.RefusedError, match="the judge's last verdict is fail") as refused:
        delivery.skip(rehearsal.context("dev"), because="it is urgent", force=True)
    assert [refusal.gate for refusal in refused.value.refusals] == ["verdict"]


def test_refuses_to_skip_in_a_freeze_that_has_begun_meanwhile() -> None:
    scene = baking()
    now = scene.clock.now()
    window = {"start": now.isoformat(), "end": (now + timedelta(hours=2)).isoformat(), "reason": "sale"}
    scene.dev.rollout = {**scene.dev.rollout, "freezeWindows": [window]}
    with pytest.raises(delivery.RefusedError, match="dev is frozen until"):
        scene.person(delivery.skip, "it is urgent")
    scene.clock.sleep(30)
    assert scene.weights() == HALF
    delivery.skip(scene.rehearsal.context("dev", pid=5), because="the shop is down", force=True)
    scene.clock.sleep(4)
    assert scene.weights() == NEW
    assert "overridden: the shop is down" in scene.rollout.skipped[1].because


def test_refuses_to_skip_without_a_reason_without_a_bake_and_in_a_pause() -> None:
    scene = Company()
    with pytest.raises(UsageError, match="wants a reason"):
        scene.person(delivery.skip, " ")
    scene.until(lambda rollout: rollout.phase is Phase.DEPLOYING)
    with pytest.raises(UsageError, match="nothing bakes: the rollout is deploying"):
        scene.person(delivery.skip, "it is urgent")
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    scene.person(delivery.pause)
    scene.until(lambda rollout: rollout.pause)
    with pytest.raises(UsageError, match="paused by"):
        scene.person(delivery.skip, "it is urgent")
    scene.person(delivery.continue_)
    scene.clock.run_until()
    with pytest.raises(NotFoundError, match="no release of orders in dev is under way"):
        scene.person(delivery.skip, "it is urgent")
