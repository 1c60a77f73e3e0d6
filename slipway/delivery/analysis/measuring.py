"""From sources to one measurement of a step, and which measurements are kept with the rollout."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from slipway.delivery.analysis.reading import brief_fault, read_entries
from slipway.delivery.analysis.stretches import needed, stretches_in_step
from slipway.delivery.model.analysis import Comparison, Measurement, Sample
from slipway.delivery.model.rollout import Rollout, last_period, next_period
from slipway.delivery.ports import UNASKED, Analyst, Metrics
from slipway.errors import SlipwayError

RECENT = 20
"""Measurements that are kept beside the last one of each stretch."""
BRIEF_FAULT = 20
"""Letters of a fault in the others."""


def measure(
    rollout: Rollout, sources: Iterable[Metrics], now: datetime, analyst: Analyst = UNASKED
) -> Measurement | None:
    """Ask every source and every entry of `rollout.analysis` about the step so far; None while it has no measurable time.

    A source that fails hides no other.
    """
    settings, began = rollout.settings, rollout.baking_since
    if began is None:
        return None
    # Whole periods: the one in which the weights changed has other weights' requests in it.
    since = next_period(began, settings.metric_period_seconds)
    until = last_period(now - timedelta(seconds=settings.delay_seconds), settings.metric_period_seconds)
    if until <= since:
        return None
    before = [each for each in rollout.measurements if each.since == began]
    last = {each.source: each for each in before[-1].comparisons} if before else {}
    own = _synthetic([each for each in before if each.at <= until])
    seconds = (until - since).total_seconds()
    count = stretches_in_step(settings, rollout.steps)
    length = max(rollout.steps[rollout.step].bake_seconds, 1.0) / count
    found = tuple(_ask(source, rollout, (since, until), last.get(source.source), own) for source in sources)
    counted, readings = read_entries(rollout, analyst, (since, until), before[-1] if before else None)
    return Measurement(
        at=now,
        since=began,
        step=rollout.step,
        seconds=seconds,
        stretch=math.ceil(seconds / length) - 1,
        comparisons=(*found, *counted),
        readings=readings,
    )


def with_measurement(rollout: Rollout, measurement: Measurement) -> Rollout:
    """The rollout with one more measurement. Kept are the newest ones, and the last of each stretch, which later judgements need."""
    known = (*rollout.measurements, measurement)
    ends = needed(known, rollout.settings, rollout.steps)
    older = [_brief(each) for each in known[:-RECENT] if any(each is end for end in ends)]
    return replace(rollout, measurements=(*older, *known[-RECENT:]))


def _brief(measurement: Measurement) -> Measurement:
    """What was wrong with a source long ago is not told any more, but that something was."""
    comparisons = tuple(replace(each, fault=each.fault[:BRIEF_FAULT]) for each in measurement.comparisons)
    readings = tuple(replace(each, fault=each.fault[:BRIEF_FAULT]) for each in measurement.readings)
    return replace(measurement, comparisons=comparisons, readings=readings)


def _ask(
    source: Metrics, rollout: Rollout, span: tuple[datetime, datetime], last: Comparison | None, own: Sample
) -> Comparison:
    try:
        found = source.compare(rollout.colour, rollout.original.live, *span)
    except SlipwayError as error:
        unread = Comparison(source=source.source, candidate=Sample(), synthetic=source.synthetic)
        return replace(last or unread, fault=brief_fault(error.what))
    if found.synthetic:
        # Made anew by each measurement: the step's are all of them together.
        return replace(found, candidate=found.candidate.plus(last.candidate if last else Sample()))
    return replace(found, candidate=found.candidate.minus(own)) if found.counts_synthetic else found


def _synthetic(measurements: Sequence[Measurement]) -> Sample:
    """Our own requests of this step that the metric store can have counted by now."""
    found = Sample()
    for comparison in measurements[-1].comparisons if measurements else ():
        if comparison.synthetic:
            found = found.plus(comparison.candidate)
    return found
