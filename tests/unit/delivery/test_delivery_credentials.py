"""Row 6 of the review of AWS: credentials that end before the rollout does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import Event, WeightsConfirmed
from slipway.delivery.explaining import explain
from slipway.delivery.model.credentials import Credentials
from slipway.delivery.model.pace import Pace
from slipway.delivery.testing.rehearsal import Rehearsal

FORCED: Any = {"force": True, "because": "incident 42"}
LONG = {"bakeSeconds": 900, "analysisIntervalSeconds": 300}
"""Three steps: 45 minutes, and what is allowed for the rest."""


def ending(rehearsal: Rehearsal, minutes: float | None) -> None:
    ends_at = None if minutes is None else rehearsal.clock.now() + timedelta(minutes=minutes)
    rehearsal.credentials = Credentials(source="environment", lasting=False, ends_at=ends_at)


def company() -> Rehearsal:
    rehearsal = Rehearsal()
    rehearsal.environment("dev", **LONG)
    rehearsal.environment("staging", **LONG, promoteFrom="dev")
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version)
        delivery.release(rehearsal.context("dev"), pace=Pace(bake_seconds=5))
        if version == "1.0.0":
            delivery.promote(rehearsal.context("staging"), "dev")
    rehearsal.check_out("3.0.0")
    return rehearsal


VERBS: list[Callable[..., Any]] = [
    lambda rehearsal, **forced: delivery.release(rehearsal.context("dev"), **forced),
    lambda rehearsal, **forced: delivery.promote(rehearsal.context("staging"), "dev", **forced),
]


@pytest.mark.parametrize("minutes", [15, 59, None])
@pytest.mark.parametrize("verb", VERBS, ids=["release", "promote"])
def test_rollout_that_outlasts_its_credentials_does_not_begin(verb: Callable[..., Any], minutes: float | None) -> None:
    rehearsal = company()
    ending(rehearsal, minutes)
    ups = {name: each.ups for name, each in rehearsal.environments.items()}
    with pytest.raises(delivery.RefusedError, match="the AWS credentials of the environment") as caught:
        verb(rehearsal)
    assert {name: each.ups for name, each in rehearsal.environments.items()} == ups, "not even an `up` was run"
    assert [refusal.gate for refusal in caught.value.refusals] == ["credentials"]
    assert "credential_process" in caught.value.refusals[0].remedy
    outcome = verb(rehearsal, **FORCED)
    assert outcome.status == "completed"
    assert [text for text in outcome.rollout.forced if text.startswith("credentials:") and "incident 42" in text]


@pytest.mark.parametrize("verb", VERBS, ids=["release", "promote"])
def test_credentials_that_outlast_the_rollout_will_do(verb: Callable[..., Any]) -> None:
    rehearsal = company()
    ending(rehearsal, 61)
    assert verb(rehearsal).status == "completed"


def test_what_is_compared_is_the_plan_of_this_run() -> None:
    rehearsal = company()
    ending(rehearsal, 20)
    assert delivery.release(rehearsal.context("dev"), pace=Pace(bake_seconds=5)).status == "completed"


def test_approval_may_be_waited_for_longer_than_credentials_last() -> None:
    rehearsal = company()
    steps = {"steps": [10, {"percent": 100, "approval": True}], "approvalSeconds": 3600}
    staging = rehearsal.environment("staging")
    staging.rollout = {**staging.rollout, **steps}
    ending(rehearsal, 100)
    with pytest.raises(delivery.RefusedError, match="may take until"):
        delivery.promote(rehearsal.context("staging"), "dev")


def test_release_left_half_way_needs_credentials_for_the_rest_of_it() -> None:
    rehearsal = company()
    ctx = rehearsal.context("dev", pid=1)

    def die(event: Event) -> None:
        if isinstance(event, WeightsConfirmed) and event.weights.of(event.rollout.colour) == 50:
            raise KeyboardInterrupt

    object.__setattr__(ctx, "progress", die)
    with pytest.raises(KeyboardInterrupt):
        delivery.release(ctx)
    rehearsal.dead.add(1)
    ending(rehearsal, 40)
    with pytest.raises(delivery.RefusedError, match="was left in phase") as caught:
        delivery.resume(rehearsal.context("dev", pid=2))
    assert "slipway abort dev" in caught.value.refusals[0].remedy
    ending(rehearsal, 46)  # two steps of three are left
    rehearsal.check_out("4.0.0")
    answers = {each.command: each for each in explain(rehearsal.context("dev", pid=3)).verbs}
    assert [each.gate for each in answers["slipway release dev"].refusals] == ["credentials"], "by a plan of its own"
    assert delivery.resume(rehearsal.context("dev", pid=2)).status == "completed"


def test_ways_back_are_open() -> None:
    rehearsal = company()
    ending(rehearsal, 1)
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"


def test_explanation_names_the_gate() -> None:
    rehearsal = company()
    ending(rehearsal, 1)
    answers = {answer.command: answer for answer in explain(rehearsal.context("dev")).verbs}
    assert answers["slipway release dev"].text.startswith("refused by credentials")
