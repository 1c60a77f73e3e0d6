"""The judge: pure, from measurements to one verdict in words.

A candidate fails on errors when its ratio is above the absolute limit AND clearly above the live colour's over the same minutes: a broken
dependency hurts both, and rolling back would not help. Before the bake has ended only a statistically certain failure counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.observation import Verdict, VerdictKind
from slipway.delivery.model.rollout import Reason
from slipway.delivery.model.target import RolloutSettings

CERTAINTY_Z = 2.326
"""One-sided 99 %: the normal quantile of the Wilson bound. An analysis is made many times in a bake, and each may err."""
SYNTHETIC_LIMIT_RATIO = 0.15
"""A handful of requests of our own must fail clearly: one timeout on a busy machine is no bad release."""


def judge(comparisons: Sequence[Comparison], settings: RolloutSettings, *, final: bool) -> Verdict:
    """One verdict over all sources: any failure fails; a required source without data is no data; else pass."""
    verdicts = [_judge_one(comparison, settings, final=final) for comparison in comparisons]
    for verdict in verdicts:
        if verdict.kind is VerdictKind.FAIL:
            return verdict
    for comparison, verdict in zip(comparisons, verdicts, strict=True):
        if verdict.kind is VerdictKind.NO_DATA and comparison.required:
            return verdict
    passed = [verdict for verdict in verdicts if verdict.kind is VerdictKind.PASS]
    if not passed:
        return Verdict(kind=VerdictKind.NO_DATA, text="no source of measurements had any", reason=Reason.NO_DATA)
    numbers = {key: value for verdict in passed for key, value in verdict.numbers.items()}
    return Verdict(kind=VerdictKind.PASS, text="; ".join(verdict.text for verdict in passed), numbers=numbers)


def _judge_one(comparison: Comparison, settings: RolloutSettings, *, final: bool) -> Verdict:
    candidate, live = comparison.candidate, comparison.live
    numbers = _numbers(comparison)
    if candidate.requests < settings.minimum_requests and not (comparison.synthetic and candidate.errors):
        text = (
            f"{comparison.source}: {candidate.requests} requests to the candidate, {settings.minimum_requests} needed"
        )
        return Verdict(kind=VerdictKind.NO_DATA, text=text, reason=Reason.NO_DATA, numbers=numbers)
    if _errors_fail(comparison, settings, final=final):
        reason = Reason.PROBE_FAILED if comparison.synthetic else Reason.ERRORS_ABOVE_LIMIT
        return Verdict(kind=VerdictKind.FAIL, text=_error_text(comparison, settings), reason=reason, numbers=numbers)
    if candidate.p99_seconds is not None and _latency_fails(candidate.p99_seconds, live, settings):
        return Verdict(
            kind=VerdictKind.FAIL,
            text=_latency_text(comparison, settings),
            reason=Reason.LATENCY_ABOVE_LIMIT,
            numbers=numbers,
        )
    if candidate.p99_seconds is None:
        text = f"{comparison.source}: no answer times of the candidate"
        return Verdict(kind=VerdictKind.NO_DATA, text=text, reason=Reason.NO_DATA, numbers=numbers)
    text = f"{comparison.source}: {candidate.error_ratio:.2%} errors in {candidate.requests} requests, p99 {candidate.p99_seconds:.3f} s"
    return Verdict(kind=VerdictKind.PASS, text=text, numbers=numbers)


def _errors_fail(comparison: Comparison, settings: RolloutSettings, *, final: bool) -> bool:
    candidate, live = comparison.candidate, comparison.live
    certain = lower_bound(candidate.errors, candidate.requests)
    if comparison.synthetic:
        return certain > max(settings.max_error_ratio, SYNTHETIC_LIMIT_RATIO)
    if (candidate.error_ratio if final else certain) <= settings.max_error_ratio:
        return False
    comparable = live is not None and live.requests >= settings.minimum_requests
    return not (comparable and live and candidate.error_ratio <= settings.error_factor * live.error_ratio)


def _latency_fails(p99_seconds: float, live: Sample | None, settings: RolloutSettings) -> bool:
    if p99_seconds <= settings.max_p99_seconds:
        return False
    comparable = live is not None and live.requests >= settings.minimum_requests and live.p99_seconds is not None
    return not (comparable and live and p99_seconds <= settings.error_factor * (live.p99_seconds or 0))


def lower_bound(errors: int, requests: int) -> float:
    """Wilson's lower bound of the true error ratio: 1 error in 20 requests is no proof of 5 %."""
    if requests == 0:
        return 0.0
    ratio, z2 = min(errors / requests, 1.0), CERTAINTY_Z**2
    spread = CERTAINTY_Z * math.sqrt(ratio * (1 - ratio) / requests + z2 / (4 * requests**2))
    return (ratio + z2 / (2 * requests) - spread) / (1 + z2 / requests)


def _numbers(comparison: Comparison) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for side, sample in (("candidate", comparison.candidate), ("live", comparison.live)):
        if sample is None:
            continue
        prefix = f"{comparison.source}.{side}"
        numbers |= {f"{prefix}.requests": sample.requests, f"{prefix}.error_ratio": round(sample.error_ratio, 5)}
        if sample.p99_seconds is not None:
            numbers[f"{prefix}.p99_seconds"] = round(sample.p99_seconds, 4)
    return numbers


def _error_text(comparison: Comparison, settings: RolloutSettings) -> str:
    candidate, live = comparison.candidate, comparison.live
    peer = f"; the live colour has {live.error_ratio:.2%} of {live.requests}" if live and live.requests else ""
    return (
        f"{comparison.source}: {candidate.error_ratio:.2%} of {candidate.requests} requests to the candidate failed, "
        f"{settings.max_error_ratio:.2%} allowed{peer}"
    )


def _latency_text(comparison: Comparison, settings: RolloutSettings) -> str:
    live, measured = comparison.live, comparison.candidate.p99_seconds or 0
    peer = f"; the live colour has {live.p99_seconds:.3f} s" if live and live.p99_seconds is not None else ""
    return (
        f"{comparison.source}: p99 of the candidate is {measured:.3f} s, {settings.max_p99_seconds:g} s allowed{peer}"
    )
