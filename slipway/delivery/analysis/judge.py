"""The judge: pure, from a rollout's measurements to one verdict in words.

A candidate fails when its counts are beyond doubt above the limit AND above those of the live colour: a broken dependency hurts both, and
rolling back would not help. "Beyond doubt" is meant of the whole rollout: all its looks at all its metrics together are wrong about a
release within the limits with a probability of at most RISK.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce

from slipway.contract.analysis import AnalysisEntry
from slipway.delivery.analysis.evidence import Counts, Rule, Stretch, evidence_against, evidence_for
from slipway.delivery.analysis.stretches import weight_of_start
from slipway.delivery.analysis.unanswered import find_unanswered
from slipway.delivery.analysis.values import allowed, judge_value
from slipway.delivery.model.analysis import Comparison, Measurement, Reading, Sample, VerdictKind
from slipway.delivery.model.observation import Verdict
from slipway.delivery.model.rollout import Reason, Rollout, Step
from slipway.delivery.model.target import MetricSettings, NoDataPolicy, RolloutSettings

RISK = 0.01
"""Of turning back a release that is within its limits; per rollout."""
MISS_RISK = 0.005
"""Of letting a release pass, as certain, that is `detect_factor` times worse than a limit; per rollout."""
LEAST_TIMES, MOST_TIMES = 1.1, 100.0
"""Factors beyond count as these. Stack files have none; with powers of them every release, or no number, would be within the limits."""
MINIMUM_FAILURES = 3
"""Fewer bad requests never turn a release back: one timeout on a busy machine is no bad release, whatever the limit."""
SLOW_RATIO = 0.01
"""How many requests may be slower than `max_p99_seconds`: what a 99th percentile means."""
SYNTHETIC_LIMIT_RATIO = 0.15
"""A handful of requests of our own must fail clearly."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One of the numbers of one source, and its limit."""

    comparison: Comparison
    name: str
    limit: float
    reason: Reason
    settings: MetricSettings
    minimum: int
    """Fewer requests than this are no data."""

    def bad(self, sample: Sample) -> int:
        """How many requests were bad."""
        return min((sample.slow or 0) if self.name == "latency" else sample.errors, sample.requests)

    def ratio(self, sample: Sample | None) -> float | None:
        """The share of bad requests; None: there were none at all, or it was not measured."""
        if sample is None or not sample.requests or (self.name == "latency" and sample.slow is None):
            return None
        return self.bad(sample) / sample.requests


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is said of one metric, or of one entry of `rollout.analysis` that has a value."""

    metric: Metric | None = None
    """None: a value."""
    reading: Reading | None = None
    allowed: str = ""
    """The value's limits, in words."""
    kind: VerdictKind
    text: str
    reason: Reason
    settings: MetricSettings

    @property
    def comparison(self) -> Comparison | None:
        """What was counted; None: a value."""
        return self.metric and self.metric.comparison

    @property
    def synthetic(self) -> bool:
        """It is about requests of our own."""
        return self.comparison is not None and self.comparison.synthetic


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What is to be judged: the last measurement, in the light of those before it."""

    measurements: Sequence[Measurement]
    settings: RolloutSettings
    steps: Sequence[Step]
    risk: float
    """Of each metric."""


def judge(measurements: Sequence[Measurement], settings: RolloutSettings, steps: Sequence[Step]) -> Verdict:
    """The verdict on the last measurement: the same ones always give the same verdict."""
    verdict = _join(find(measurements, settings, steps), _numbers(measurements[-1]))
    missed = find_unanswered(measurements, settings, steps)
    if not missed or verdict.kind is VerdictKind.FAIL:
        return verdict
    kind = VerdictKind.UNDECIDED if verdict.kind is VerdictKind.PASS else verdict.kind
    return replace(verdict, kind=kind, text=f"{verdict.text}; {missed}", unanswered=missed)


def find(measurements: Sequence[Measurement], settings: RolloutSettings, steps: Sequence[Step]) -> Sequence[Finding]:
    """What the verdict on the last measurement is joined from: one finding for each metric, and for each entry's value."""
    comparisons = [each for each in measurements[-1].comparisons if not each.analysis]
    metrics = [metric for comparison in comparisons for metric in _metrics(comparison, settings)]
    metrics += _counting_entries(measurements[-1], settings)
    judged = max(1, sum(not metric.settings.dry_run for metric in metrics))
    case = _Case(measurements=measurements, settings=settings, steps=steps, risk=RISK / judged)
    findings = [_judge_metric(metric, case) for metric in metrics]
    values = _judge_values(measurements[-1], settings)
    return [*(_stand_in(finding, findings, settings) for finding in findings), *values]


def replay(rollout: Rollout) -> Iterator[tuple[Measurement, Verdict]]:
    """Every measurement that was kept, with the verdict that follows from it and those before it."""
    for number, measurement in enumerate(rollout.measurements, 1):
        yield measurement, judge(rollout.measurements[:number], rollout.settings, rollout.steps)


def _metrics(comparison: Comparison, settings: RolloutSettings) -> Iterator[Metric]:
    limits = {
        "errors": (settings.max_error_ratio, Reason.ERRORS_ABOVE_LIMIT),
        "latency": (SLOW_RATIO, Reason.LATENCY_ABOVE_LIMIT),
    }
    for name, (limit, reason) in limits.items():
        yield Metric(
            comparison=comparison,
            name=name,
            limit=max(limit, SYNTHETIC_LIMIT_RATIO) if comparison.synthetic else limit,
            reason=Reason.PROBE_FAILED if comparison.synthetic else reason,
            settings=settings.metric(comparison.source, name),
            minimum=settings.minimum_requests,
        )


def _counting_entries(measurement: Measurement, settings: RolloutSettings) -> Iterator[Metric]:
    """By the settings, not by what was measured: an entry that was forgotten is without data."""
    found = {each.source: each for each in measurement.comparisons if each.analysis}
    for entry in settings.analysis:
        if entry.counts:
            unasked = Comparison(source=entry.name, candidate=Sample(), analysis=True, fault="it was not asked")
            yield Metric(
                comparison=found.get(entry.name, unasked),
                name="analysis",
                limit=entry.maximum or 0.0,
                reason=Reason.ANALYSIS_FAILED,
                settings=_settings_of(entry, settings),
                minimum=settings.minimum_requests if entry.minimum_total is None else entry.minimum_total,
            )


def _judge_values(measurement: Measurement, settings: RolloutSettings) -> Iterator[Finding]:
    found = {each.name: each for each in measurement.readings}
    for entry in settings.analysis:
        if not entry.counts:
            reading = found.get(entry.name, Reading(name=entry.name, fault="it was not asked"))
            kind, text = judge_value(entry, reading)
            yield Finding(
                reading=reading,
                allowed=allowed(entry),
                kind=kind,
                text=text,
                reason=Reason.ANALYSIS_FAILED,
                settings=_settings_of(entry, settings),
            )


def _settings_of(entry: AnalysisEntry, settings: RolloutSettings) -> MetricSettings:
    return MetricSettings(on_no_data=entry.on_no_data or settings.on_no_data, dry_run=entry.dry_run)


def _judge_metric(metric: Metric, case: _Case) -> Finding:
    settings, latest = case.settings, case.measurements[-1]
    rule = Rule(
        limit=metric.limit,
        factor=min(max(settings.detect_factor, LEAST_TIMES), MOST_TIMES),
        excused=min(settings.error_factor, MOST_TIMES),
        minimum=metric.minimum,
    )
    stretches = _stretches(metric, case)
    whole = reduce(Counts.plus, (each.counts for each in stretches), Counts())
    suspected = False
    if whole.bad >= MINIMUM_FAILURES:
        against, loudest = evidence_against(stretches, rule)
        if against >= -math.log(case.risk):
            return _found(metric, VerdictKind.FAIL, _text(metric, loudest, settings))
        suspected = against > 0
    missing = _missing(metric)
    if missing:
        return _found(metric, VerdictKind.NO_DATA, f"{metric.comparison.source}: {missing}")
    text = _text(metric, whole, settings)
    if suspected:  # the counts are likelier of a bad release: no more traffic until it is clear
        return _found(metric, VerdictKind.UNDECIDED, f"{text}, suspected, not beyond doubt")
    # Of the last step alone: what fails under all of the traffic only was in order before.
    candidate = metric.comparison.candidate
    proof_due = latest.step == len(case.steps) - 1 and not metric.comparison.synthetic
    if not proof_due or _proves(Counts(requests=candidate.requests, bad=metric.bad(candidate)), rule):
        return _found(metric, VerdictKind.PASS, text)
    # What a flawless release could have shown when the last extension ends; waiting for less is in vain.
    step = case.steps[latest.step]
    longest = step.bake_seconds + settings.max_extensions * max(step.bake_seconds, settings.analysis_interval_seconds)
    in_all = candidate.requests * max(longest / max(latest.seconds, 1.0), 1)
    if _proves(Counts(requests=int(in_all)), rule):
        return _found(metric, VerdictKind.UNDECIDED, f"{text}, not enough to be sure")
    few = f"too few {'of them' if metric.comparison.analysis else 'requests'} to tell it from {settings.detect_factor:g} times as many"
    return _found(metric, VerdictKind.PASS, f"{text}; {few}")


def _found(metric: Metric, kind: VerdictKind, text: str) -> Finding:
    return Finding(metric=metric, kind=kind, text=text, reason=metric.reason, settings=metric.settings)


def _proves(counts: Counts, rule: Rule) -> bool:
    return evidence_for(counts, rule) >= -math.log(MISS_RISK)


def _stretches(metric: Metric, case: _Case) -> list[Stretch]:
    """What this metric counted in each stretch, apart from the stretches before it."""
    bakes = {since: number for number, since in enumerate(dict.fromkeys(each.since for each in case.measurements))}
    found: list[Stretch] = []
    before: tuple[Measurement, Sample, Sample] | None = None
    for measurement, candidate, live in _settled_counts(metric, case.measurements):
        new, new_live = candidate, live
        if before and before[0].since == measurement.since:
            new, new_live = candidate.minus(before[1]), live.minus(before[2])
        counts = Counts(
            requests=new.requests,
            bad=metric.bad(new),
            live_requests=new_live.requests,
            live_bad=metric.bad(new_live),
        )
        weight = weight_of_start(case.settings, case.steps, bakes[measurement.since], measurement.stretch)
        found.append(Stretch(counts=counts, weight=weight))
        before = measurement, candidate, live
    return found


def _settled_counts(
    metric: Metric, measurements: Sequence[Measurement]
) -> Sequence[tuple[Measurement, Sample, Sample]]:
    """Of candidate and live colour at the end of each stretch. What a source took back later is in none of them: it may count it again."""
    ends = {(each.since, each.stretch): each for each in measurements}
    found: list[tuple[Measurement, Sample, Sample]] = []
    for measurement in reversed(ends.values()):
        seen = next((each for each in measurement.comparisons if each.source == metric.comparison.source), None)
        if seen is None:
            continue
        candidate, live = seen.candidate, seen.live or Sample()
        if found and found[-1][0].since == measurement.since:
            candidate, live = candidate.at_most(found[-1][1]), live.at_most(found[-1][2])
        found.append((measurement, candidate, live))
    return found[::-1]


def _missing(metric: Metric) -> str:
    """What this metric lacks in the current step; "" when nothing."""
    comparison = metric.comparison
    if comparison.fault:
        return f"measurements cannot be read: {comparison.fault}"
    if comparison.candidate.requests < metric.minimum:
        counted = "counted of" if comparison.analysis else "requests to"
        return f"{comparison.candidate.requests} {counted} the candidate, {metric.minimum} needed"
    if metric.name == "latency" and comparison.candidate.slow is None:
        return "no answer times of the candidate"
    return ""


def _stand_in(finding: Finding, findings: Sequence[Finding], settings: RolloutSettings) -> Finding:
    """A service that few visit is judged by our own requests, and that is said."""
    users = finding.comparison
    if users is None or users.analysis:
        return finding
    own = [each.comparison.candidate.requests for each in findings if each.comparison and each.synthetic]
    quiet = not users.fault and not users.synthetic and users.candidate.requests < settings.minimum_requests
    if finding.kind is VerdictKind.NO_DATA and quiet and max(own, default=0) >= settings.minimum_requests:
        return replace(finding, kind=VerdictKind.PASS, text=f"{finding.text}; {max(own)} of our own stand in")
    return finding


def _join(findings: Sequence[Finding], numbers: dict[str, float]) -> Verdict:
    """Any failure fails; then what lacks data, by its policy; then what is not certain yet. Dry runs are only told."""
    dry = [f"dry run, {each.kind}: {each.text}" for each in findings if each.settings.dry_run]
    judged = [each for each in findings if not each.settings.dry_run]
    failed = [each for each in judged if each.kind is VerdictKind.FAIL]
    if failed:
        text = "; ".join(each.text for each in failed)
        return Verdict(kind=VerdictKind.FAIL, text=text, reason=failed[0].reason, numbers=numbers)
    # Our own requests add evidence when there are some, and are not missed when there are none.
    lacking = [each for each in judged if each.kind is VerdictKind.NO_DATA and not each.synthetic]
    for policy in ("fail", "hold"):
        texts = dict.fromkeys(each.text for each in lacking if each.settings.on_no_data == policy)
        if texts:
            return _no_data(texts, numbers, policy)
    if not judged:
        return _no_data(["nothing is judged", *dry], numbers, None)
    told = [f"{each.text}, passed by policy" if each in lacking else each.text for each in judged]
    undecided = any(each.kind is VerdictKind.UNDECIDED for each in judged)
    kind = VerdictKind.UNDECIDED if undecided else VerdictKind.PASS
    return Verdict(kind=kind, text="; ".join(dict.fromkeys([*told, *dry])), numbers=numbers)


def _no_data(texts: Iterable[str], numbers: dict[str, float], policy: NoDataPolicy | None) -> Verdict:
    return Verdict(
        kind=VerdictKind.NO_DATA, text="; ".join(texts), reason=Reason.NO_DATA, numbers=numbers, on_no_data=policy
    )


def _numbers(measurement: Measurement) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for reading in measurement.readings:
        for side, value in (("candidate", reading.candidate), ("live", reading.live)):
            if value is not None:
                numbers[f"{reading.name}.{side}.value"] = value
    for comparison in measurement.comparisons:
        for side, sample in (("candidate", comparison.candidate), ("live", comparison.live)):
            for name, value in asdict(sample).items() if sample else ():
                if value is not None:
                    numbers[f"{comparison.source}.{side}.{name}"] = value
    return numbers


def _text(metric: Metric, counts: Counts, settings: RolloutSettings) -> str:
    what = f"took longer than {settings.max_p99_seconds:g} s" if metric.name == "latency" else "failed"
    subject = f"requests to the candidate {what}"
    if metric.comparison.analysis:
        subject = "of the candidate are bad"
    peer = ""
    if counts.live_requests:
        peer = f"; the live colour has {_percent(counts.live_bad / counts.live_requests)} of {counts.live_requests}"
    ratio, allowed = _percent(counts.bad / max(counts.requests, 1)), _percent(metric.limit)
    return f"{metric.comparison.source}: {ratio} of {counts.requests} {subject}, {allowed} allowed{peer}"


def _percent(ratio: float) -> str:
    """Two digits behind the point, more where those would say nothing."""
    return f"{ratio:.2%}" if ratio == 0 or ratio >= 0.0001 else f"{100 * ratio:.2g}%"
