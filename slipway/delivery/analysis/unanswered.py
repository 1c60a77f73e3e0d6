"""Requests that hang: a load balancer counts them when they end, so a release whose requests hang looks flawless in a short bake.

What can be seen at once is what is missing: the candidate has ended fewer requests than its share of the traffic. That proves nothing
(a slow release ends its requests later), so it turns nothing back. It holds the bake until the requests of the bake must have ended;
those that hung are errors by then, and are judged as such.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from slipway.delivery.model.analysis import Comparison, Measurement
from slipway.delivery.model.rollout import Rollout, Step, next_period
from slipway.delivery.model.target import RolloutSettings

LONGEST_REQUEST_SECONDS = 60
"""After so long without a byte the load balancer gives up on a target, and counts an error.
Source: `idle_timeout.timeout_seconds`, ALB attributes, 2026; components leave it at its default."""
DEVIATIONS = 2.0
"""Standard deviations below its share: chance alone holds a bake in one of 44 looks, until the next one."""
MINIMUM_MISSED = 3


def find_unanswered(measurements: Sequence[Measurement], settings: RolloutSettings, steps: Sequence[Step]) -> str:
    """Which source misses requests of the candidate, and how many, in words; "": none does, or all must have ended by now.

    A step with all of the traffic has nothing to be compared with. Steps before it count as long as their requests may be under way.
    """
    latest = measurements[-1]
    if latest.seconds >= steps[latest.step].bake_seconds + LONGEST_REQUEST_SECONDS:
        return ""
    oldest = latest.at - timedelta(seconds=LONGEST_REQUEST_SECONDS)
    recent = {each.since: each for each in measurements if each.since == latest.since or each.at > oldest}
    for comparison in latest.comparisons:
        if comparison.synthetic or comparison.analysis or settings.metric(comparison.source, "errors").dry_run:
            continue
        found = [
            (each, steps[measurement.step].percent / 100)
            for measurement in recent.values()
            for each in measurement.comparisons
            if each.source == comparison.source and not each.fault
        ]
        ended, expected, variance = _add_up(found)
        missed = expected - ended
        if missed >= MINIMUM_MISSED and missed >= DEVIATIONS * math.sqrt(variance):
            return (
                f"{comparison.source}: {ended} requests to the candidate have ended, by its share of the traffic it got about "
                f"{expected:.0f}; those that hang are counted after {LONGEST_REQUEST_SECONDS} s"
            )
    return ""


def decided_at(rollout: Rollout) -> tuple[datetime, str]:
    """When the present bake is decided on at the latest, if it is not extended, and what it is held for; "": for nothing."""
    settings, measurements, ends_at = rollout.settings, rollout.measurements, rollout.bake_ends_at
    if not measurements or (since := measurements[-1].since) != rollout.baking_since:
        return ends_at, ""
    missed = find_unanswered(measurements, settings, rollout.steps)
    if not missed:
        return ends_at, ""
    period = settings.metric_period_seconds
    longest = timedelta(seconds=rollout.steps[rollout.step].bake_seconds + LONGEST_REQUEST_SECONDS)
    counted = next_period(next_period(since, period) + longest, period)
    return max(ends_at, counted + timedelta(seconds=settings.delay_seconds)), missed


def _add_up(found: Sequence[tuple[Comparison, float]]) -> tuple[int, float, float]:
    """What the candidate has ended, what its shares would give, and the variance of that."""
    ended, expected, variance = 0, 0.0, 0.0
    for comparison, share in found:
        if comparison.live is None or share >= 1:
            continue
        whole = comparison.candidate.requests + comparison.live.requests
        ended += comparison.candidate.requests
        expected += whole * share
        variance += whole * share * (1 - share)
    return ended, expected, variance
