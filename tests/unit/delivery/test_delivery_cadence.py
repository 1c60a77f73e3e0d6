"""Rows 4, 49 and 50 of the review of AWS: late metrics by the minute, shared throttles, nodes that follow their control plane."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.gating import plan_seconds
from slipway.delivery.model.cadence import AWS, SANDBOX, Cadence
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.ports import Context
from slipway.delivery.targeting import known_target
from slipway.delivery.testing.counts import PublishedCounts
from slipway.delivery.testing.rehearsal import QUICK, Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.documents import read_stack_config

PROJECT = Path(__file__).parents[3]
STACKS = ("dev", "staging", "prod")


def as_shipped(stack: str) -> dict[str, Any]:
    """The rollout settings of a stack file, for one environment alone."""
    unset = dict.fromkeys(QUICK)  # the simulated world's own, quicker than any stack file's
    declared = {**read_stack_config(PROJECT, stack)["slipway:rollout"], "promoteFrom": None}
    return {**{name: RolloutSettings().model_dump(by_alias=True)[name] for name in unset}, **declared}


def company(stack: str = "dev", cadence: Cadence = AWS, **rollout: Any) -> Rehearsal:
    """1.0.0 is live, and 2.0.0 checked out, in a world of AWS's pace."""
    rehearsal = Rehearsal(cadence=cadence)
    dev = rehearsal.environment("dev", **{**as_shipped(stack), **rollout})
    dev.published, dev.nodes_lag_seconds = PublishedCounts(), 5.0
    rehearsal.check_out("1.0.0")
    delivery.release(rehearsal.context("dev"))
    rehearsal.clock.sleep(3617)  # steps begin anywhere in a minute
    rehearsal.check_out("2.0.0")
    return rehearsal


@pytest.mark.parametrize("stack", STACKS)
def test_good_release_completes_with_the_stack_file_as_shipped(stack: str) -> None:
    rehearsal = company(stack)
    outcome = delivery.release(rehearsal.context("dev"))
    assert outcome.rollout
    assert outcome.status == "completed"
    texts = [entry.text for entry in outcome.rollout.journal]
    assert not [text for text in texts if "for want of evidence" in text or "no-data" in text]
    first = next(each for each in outcome.rollout.measurements if each.comparisons[0].candidate.requests)
    assert first.at - first.since >= timedelta(seconds=180), "a whole minute, and two until it is published"
    assert rehearsal.environment("dev").harm == []


@pytest.mark.parametrize("stack", STACKS)
def test_bad_release_goes_back_with_the_stack_file_as_shipped(stack: str) -> None:
    rehearsal = company(stack)
    dev = rehearsal.environment("dev")
    dev.behaviour["2.0.0"] = Behaviour(error_ratio=0.2)
    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(rehearsal.context("dev"))
    rollout = caught.value.rollout
    assert rollout.reason is Reason.ERRORS_ABOVE_LIMIT
    assert (rollout.step, dev.weights.of(rollout.colour), dev.harm) == (0, 0, [])


def test_bake_that_is_extended_ends_however_seldom_it_is_looked_at() -> None:
    """Looks five minutes apart had each begun the extension anew: nobody was thought to be there meanwhile."""
    rehearsal = company(cadence=SANDBOX, steps=[100], bakeSeconds=5, analysisIntervalSeconds=300, minimumRequests=1)
    rehearsal.environment("dev").requests_per_second = 2
    outcome = delivery.release(rehearsal.context("dev"))
    assert outcome.rollout
    assert outcome.rollout.phase is Phase.COMPLETED
    assert outcome.rollout.extensions == 2


def test_minute_in_which_the_weights_changed_is_nobodys() -> None:
    rehearsal = company()
    asked: list[tuple[datetime, datetime]] = []
    ctx = rehearsal.context("dev")
    source = ctx.connect(known(ctx)).metrics[0]
    compare = type(source).compare

    def watch(self: Any, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Any:
        asked.append((since, until))
        return compare(self, candidate, live, since, until)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(source), "compare", watch)
        delivery.release(ctx)
    assert asked
    assert all(at.second == at.microsecond == 0 for span in asked for at in span)


def known(ctx: Context) -> Any:
    target = known_target(ctx)
    assert target
    return target


@pytest.mark.parametrize(("cadence", "window", "delay"), [(AWS, 180, 120), (SANDBOX, 60, 0)])
def test_what_a_stack_file_leaves_open_is_of_where_it_runs(cadence: Cadence, window: float, delay: float) -> None:
    open_ = cadence.applied_to(RolloutSettings())
    assert (open_.metric_window_seconds, open_.metric_delay_seconds) == (window, delay)
    said = cadence.applied_to(RolloutSettings(metric_window_seconds=300, metric_delay_seconds=30))
    assert (said.metric_window_seconds, said.metric_delay_seconds) == (300, 30)


def test_plan_is_foreseen_with_what_metrics_take() -> None:
    rehearsal = company()
    ctx = rehearsal.context("dev")
    foreseen = plan_seconds(ctx, known(ctx))
    began = rehearsal.clock.now()
    delivery.release(ctx)
    took = (rehearsal.clock.now() - began).total_seconds()
    assert took <= foreseen - 900 <= took + 3 * 120


@pytest.mark.parametrize(("cadence", "seconds"), [(AWS, 2.0), (SANDBOX, 0.25)])
def test_control_planes_are_not_asked_more_often_than_they_take(cadence: Cadence, seconds: float) -> None:
    rehearsal = company(cadence=cadence, bakeSeconds=60)
    dev = rehearsal.environment("dev")
    dev.startup_seconds, dev.weight_lag_seconds = 20.0, 7.0
    looks: list[datetime] = []
    ctx = rehearsal.context("dev")
    balancer = type(ctx.connect(known(ctx)).balancer)
    health = balancer.health

    def watch(self: Any, colour: Colour) -> Any:
        looks.append(rehearsal.clock.now())
        return health(self, colour)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balancer, "health", watch)
        delivery.release(ctx, pace=Pace(minimum_requests=0))
    # From phase to phase there is no pause: what is waited for is looked at again after one.
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(looks)]
    waited = [gap for gap in gaps if gap]
    assert min(waited) == pytest.approx(seconds, abs=0.26)
    assert len([gap for gap in waited if gap < seconds]) <= 5


@pytest.mark.parametrize("cadence", [AWS, SANDBOX])
def test_pods_stay_until_nodes_of_the_load_balancer_have_followed(cadence: Cadence) -> None:
    rehearsal = company(cadence=cadence)
    dev = rehearsal.environment("dev")
    dev.up_seconds, dev.published = 0.1, None
    delivery.release(rehearsal.context("dev"), pace=Pace(bake_seconds=0, minimum_requests=0))
    delivery.rollback(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0")
    dev.behaviour["3.0.0"] = Behaviour(error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert dev.weights in {Weights(blue=100, green=0), Weights(blue=0, green=100)}
    assert bool(dev.harm) is (cadence is SANDBOX), "the sandbox's load balancer is one process"
