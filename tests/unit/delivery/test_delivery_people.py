"""Pauses and approvals: who said what is in the ledger, and the time that they take is counted right over kill and resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.rollout import Phase, Reason, Rollout
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.errors import NotFoundError, UsageError
from tests.unit.delivery.interrupting import EXPAND, NEW, OLD

HALF = Weights(blue=50, green=50)
APPROVED = [50, {"percent": 100, "approval": True}]


class Company:
    """1.0.0 is live, and 2.0.0 is being released by a process of its own."""

    def __init__(self, **rollout: Any) -> None:
        self.clock = SharedClock()
        self.rehearsal = Rehearsal(clock=self.clock)
        settings = {"steps": [50, 100], "bakeSeconds": 60, "analysisIntervalSeconds": 10} | rollout
        self.dev = self.rehearsal.environment("dev", **settings)
        for version in ("1.0.0", "2.0.0"):
            self.rehearsal.check_out(version, revisions=[EXPAND])
            if version == "1.0.0":
                delivery.release(self.rehearsal.context("dev"))
        self.owner = self.work(delivery.release)

    def work(self, verb: Callable[[delivery.Context], Any]) -> Process:
        pid = self.owner.pid + 1 if hasattr(self, "owner") else 11
        ctx = inhabited(self.rehearsal.context("dev", pid=pid), self.clock)
        self.owner = self.clock.start(Process(pid), lambda: verb(ctx))
        return self.owner

    def person(self, verb: Callable[..., delivery.Outcome], because: str = "") -> delivery.Outcome:
        return verb(self.rehearsal.context("dev", pid=5), because=because)

    @property
    def rollout(self) -> Rollout:
        rollout = self.rehearsal.ledger.rollout(self.dev.place)
        assert rollout
        return rollout

    def until(self, holds: Callable[[Rollout], object]) -> None:
        began = self.clock.monotonic()
        while self.rollout.candidate is None or self.rollout.candidate.version != "2.0.0" or not holds(self.rollout):
            self.clock.sleep(0.5)
            assert self.clock.monotonic() < began + 1000

    def kill(self) -> None:
        self.owner.fuse, self.owner.nap_seconds = 0, 0
        self.clock.sleep(30)
        assert self.owner.ended
        self.rehearsal.dead.add(self.owner.pid)

    def weights(self) -> Weights:
        self.dev.settle_weights()
        return self.dev.weights

    def remarks(self) -> str:
        (place,) = delivery.status(self.rehearsal.context("dev"))
        return place.rollout.waits_for if place.rollout else ""


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("continued_while_dead", [False, True])
def test_pause_holds_the_weight_and_the_bake_goes_on_where_it_was(killed: bool, continued_while_dead: bool) -> None:
    company = Company()
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    company.clock.sleep(20)
    assert company.person(delivery.pause, "lunch").text.startswith("paused at 50 %")
    company.clock.sleep(90)
    assert "paused by ada@bench (process 5)" in company.remarks()
    assert "lunch; `slipway continue dev`" in company.remarks()
    if killed:
        company.kill()
        company.clock.sleep(5000)
    if continued_while_dead:
        company.person(delivery.continue_)
    if killed:
        company.work(delivery.resume)
        company.clock.sleep(5)
    if not continued_while_dead:
        company.clock.sleep(60)
        assert (company.weights(), company.owner.ended) == (HALF, False)
        company.person(delivery.continue_)
    company.clock.sleep(25)
    assert (company.weights(), company.remarks()) == (HALF, "")  # about 40 of the 60 s are left
    company.clock.sleep(30)
    assert company.weights() == NEW
    company.clock.run_until()
    assert (company.owner.error, company.rollout.phase) == (None, Phase.COMPLETED)
    told = [entry.text for entry in company.rollout.journal if entry.event in {"asked", "heard"}]
    assert [text.partition(" by")[0] for text in told] == ["paused", "continued"]
    assert company.dev.notifications.count("on-rollout-paused") == 1


def test_pause_before_any_traffic_holds_that_off() -> None:
    company = Company()
    company.until(lambda rollout: rollout.phase is Phase.DEPLOYING)
    assert "before it gets traffic" in company.person(delivery.pause).text
    company.clock.sleep(90)
    assert (company.weights(), company.rollout.phase) == (OLD, Phase.SIZING)
    company.person(delivery.continue_)
    company.clock.run_until()
    assert (company.owner.error, company.weights()) == (None, NEW)


@pytest.mark.parametrize("waits", ["pause", "approval"])
def test_bad_release_is_turned_back_while_people_are_waited_for(waits: str) -> None:
    company = Company(steps=APPROVED)
    company.until(lambda rollout: rollout.phase is Phase.BAKING and (waits == "pause" or rollout.asked_since))
    if waits == "pause":
        company.person(delivery.pause)
    company.clock.sleep(80)
    assert company.rollout.candidate
    company.dev.behaviour[company.rollout.candidate.release] = Behaviour(error_ratio=0.5)
    company.clock.sleep(30)
    assert company.weights() == OLD
    company.clock.run_until()
    assert isinstance(company.owner.error, delivery.ReleaseRolledBackError)
    assert company.rollout.reason is Reason.ERRORS_ABOVE_LIMIT


@pytest.mark.parametrize("killed", [False, True])
def test_step_waits_for_its_approval(killed: bool) -> None:
    company = Company(steps=APPROVED)
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    with pytest.raises(UsageError, match="no step waits"):
        company.person(delivery.approve)
    company.clock.sleep(100)
    assert "100 % waits for approval since" in company.remarks()
    assert "slipway approve dev" in company.remarks()
    assert company.weights() == HALF
    if killed:
        company.kill()
    text = "100 % approved" + ("; nobody runs it now: `slipway resume dev`" if killed else "")
    assert company.person(delivery.approve, "looks good").text == text
    if killed:
        company.work(delivery.resume)
    company.clock.run_until()
    assert (company.owner.error, company.weights()) == (None, NEW)
    assert company.rollout.approvals[1].because == "looks good"


@pytest.mark.parametrize("killed", [False, True])
def test_step_that_nobody_approves_turns_back_and_pauses_do_not_count(killed: bool) -> None:
    company = Company(steps=APPROVED, approvalSeconds=180)
    company.until(lambda rollout: rollout.asked_since)
    company.clock.sleep(90)
    company.person(delivery.pause)
    company.clock.sleep(200)
    if killed:
        company.kill()
        company.work(delivery.resume)
        company.clock.sleep(10)
    company.person(delivery.continue_)
    company.clock.sleep(70)
    assert company.weights() == HALF
    company.clock.sleep(40)
    assert company.weights() == OLD
    company.clock.run_until()
    assert isinstance(company.owner.error, delivery.ReleaseRolledBackError)
    assert company.rollout.reason is Reason.NOT_APPROVED


def test_first_step_may_wait_for_an_approval_too() -> None:
    company = Company(steps=[{"percent": 50, "approval": True}, 100])
    company.until(lambda rollout: rollout.asked_since)
    company.clock.sleep(90)
    assert company.weights() == OLD
    company.person(delivery.approve)
    company.clock.run_until()
    assert (company.owner.error, company.weights()) == (None, NEW)


@pytest.mark.parametrize("verb", [delivery.pause, delivery.continue_, delivery.approve])
def test_refuses_to_say_something_about_no_release(verb: Callable[..., delivery.Outcome]) -> None:
    company = Company()
    company.clock.run_until()
    with pytest.raises(NotFoundError, match="no release of orders in dev is under way"):
        company.person(verb)


def test_paused_release_can_be_rolled_back_at_once() -> None:
    company = Company()
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    company.person(delivery.pause)
    company.clock.sleep(20)
    began = company.clock.monotonic()
    assert company.person(delivery.rollback).status == "rolled-back"
    assert (company.weights(), company.clock.monotonic() - began <= 3) == (OLD, True)
