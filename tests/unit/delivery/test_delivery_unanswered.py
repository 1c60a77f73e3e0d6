"""Requests that hang, and the bake that waits until they are counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway.contract.steps import shares
from slipway.delivery.analysis.judge import judge
from slipway.delivery.analysis.unanswered import LONGEST_REQUEST_SECONDS, find_unanswered
from slipway.delivery.dashboard.wording import seconds_left
from slipway.delivery.model.analysis import Comparison, Measurement, Sample, VerdictKind
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout, Step
from slipway.delivery.model.target import MetricSettings, RolloutSettings
from slipway.delivery.narrating import narrate
from slipway.delivery.planning import begin_rollout
from slipway.delivery.ports import Place
from slipway.delivery.testing.traffic import BEFORE, NEW, START, NoisyTraffic, analyse_rollout

QUICK = RolloutSettings(steps=shares(10, 50, 100), bake_seconds=6, analysis_interval_seconds=2, max_error_ratio=0.01)
STEPS = tuple(Step(percent=percent, bake_seconds=6, analyse=True) for percent in (10, 50, 100))


def rollout_of(settings: RolloutSettings, *, hanging: float, rate: float = 70, seed: int = 1) -> Rollout:
    traffic = NoisyTraffic(
        requests_per_second=rate, candidate_ratio=0.001, live_ratio=0.001, hanging_ratio=hanging, seed=seed
    )
    return analyse_rollout(settings, traffic)


@pytest.mark.parametrize("hanging", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("bake_seconds", [6, 30, 60])
def test_release_whose_requests_hang_never_gets_all_the_traffic(hanging: float, bake_seconds: float) -> None:
    """With bakes of 6 s it had 100 % before the first of them was counted."""
    ended = rollout_of(QUICK.model_copy(update={"bake_seconds": bake_seconds}), hanging=hanging)
    assert ended.phase is Phase.RETURNING
    assert ended.reason in {Reason.ERRORS_ABOVE_LIMIT, Reason.NO_DATA}
    assert ended.steps[ended.step].percent < 100


def test_release_in_order_bakes_no_longer_for_it() -> None:
    sane = [rollout_of(QUICK, hanging=0.0, rate=150, seed=seed) for seed in range(20)]
    assert {each.phase for each in sane} == {Phase.VERIFYING}
    assert {each.measurements[-1].at for each in sane} == {START + timedelta(seconds=18)}


def measured(candidate: int, live: int | None, *, step: int = 0, seconds: float = 6, after: float = 0) -> Measurement:
    users = Comparison(
        source="prometheus",
        candidate=Sample(requests=candidate, slow=0),
        live=None if live is None else Sample(requests=live),
    )
    since = START + timedelta(seconds=after)
    at = since + timedelta(seconds=seconds)
    return Measurement(at=at, since=since, step=step, seconds=seconds, stretch=0, comparisons=(users,))


@pytest.mark.parametrize(
    ("measurements", "missed"),
    [
        pytest.param([measured(35, 540)], "35 requests to the candidate have ended, by its share", id="30 % hang"),
        pytest.param([measured(50, 540)], "", id="within two deviations"),
        pytest.param([measured(0, 20)], "", id="two of two missed"),
        pytest.param([measured(35, 540, seconds=66)], "", id="all of the bake have ended"),
        pytest.param([measured(35, 540, seconds=65)], "about 58", id="the last of the bake may not have"),
        pytest.param([measured(35, None)], "", id="nobody else serves"),
        pytest.param([measured(35, 540), measured(400, 0, step=2, after=10)], "about 58", id="of the step before"),
        pytest.param([measured(35, 540), measured(400, 0, step=2, after=61)], "", id="of a step long ago"),
    ],
)  # fmt: skip
def test_what_is_missing_at_a_share_is_told(measurements: list[Measurement], missed: str) -> None:
    found = find_unanswered(measurements, QUICK, STEPS)
    assert missed in found
    assert bool(missed) == bool(found)
    assert not found or f"after {LONGEST_REQUEST_SECONDS} s" in found


def test_pass_waits_and_a_failure_does_not() -> None:
    waiting = judge([measured(35, 540)], QUICK, STEPS)
    assert waiting.kind is VerdictKind.UNDECIDED
    assert waiting.unanswered
    assert waiting.text.endswith(waiting.unanswered)
    users = measured(35, 540).comparisons[0]
    broken = replace(users, candidate=Sample(requests=35, errors=30, slow=0))
    failed = judge([replace(measured(35, 540), comparisons=(broken,))], QUICK, STEPS)
    assert failed.kind is VerdictKind.FAIL
    assert not failed.unanswered


@pytest.mark.parametrize(("candidate", "held"), [(35, True), (58, False)])
def test_explain_says_for_what_a_bake_is_held_and_until_when(candidate: int, *, held: bool) -> None:
    """It said: the end of the bake, and a time that had passed."""
    began = begin_rollout(
        kind=Kind.RELEASE,
        place=Place(environment="dev", service="orders"),
        actor="ada",
        now=START,
        wanted=BEFORE,
        candidate=NEW,
        settings=QUICK,
    )
    baking = replace(began, phase=Phase.BAKING, baking_since=START, measurements=(measured(candidate, 540),))
    story = narrate(baking, None)
    assert story.until == START + timedelta(seconds=66 if held else 6)
    assert ("requests that are missing: prometheus: 35 requests" in story.waits_for) is held
    assert seconds_left(baking, START + timedelta(seconds=6)) == (60 if held else 0)
    late = QUICK.model_copy(update={"metric_delay_seconds": 120, "metric_period_seconds": 60})
    if held:
        until = narrate(replace(baking, settings=late), None).until
        assert until == START + timedelta(seconds=240)


def test_errors_that_are_only_told_hold_nothing() -> None:
    dry = QUICK.model_copy(update={"metrics": {"errors": MetricSettings(dry_run=True)}})
    assert not find_unanswered([measured(35, 540)], dry, STEPS)
