"""Judging an entry of `rollout.analysis` that answers with a value. Pure."""

from __future__ import annotations

from slipway.contract.analysis import AnalysisEntry
from slipway.delivery.model.analysis import Reading, VerdictKind


def is_beyond(entry: AnalysisEntry, candidate: float, live: float | None, error_factor: float) -> bool:
    """Whether the candidate breaks a limit, and the live colour does not excuse it."""
    if entry.maximum is not None and candidate > entry.maximum:
        excused = live is not None and live > entry.maximum and candidate <= max(live, live * error_factor)
        if not excused:
            return True
    if entry.minimum is not None and candidate < entry.minimum:
        excused = live is not None and live < entry.minimum and candidate >= min(live, live / error_factor)
        return not excused
    return False


def judge_value(entry: AnalysisEntry, reading: Reading) -> tuple[VerdictKind, str]:
    """What follows from the last look, and in words."""
    if reading.fault:
        return VerdictKind.NO_DATA, f"{entry.name}: no answer: {reading.fault}"
    if reading.candidate is None:
        return VerdictKind.NO_DATA, f"{entry.name}: no value of the candidate"
    text = f"{entry.name}: {reading.candidate:g}, {allowed(entry)}"
    if reading.live is not None:
        text = f"{text}; the live colour has {reading.live:g}"
    if reading.beyond >= entry.in_a_row:
        return VerdictKind.FAIL, text
    if reading.beyond:
        return VerdictKind.UNDECIDED, f"{text}; suspected, {reading.beyond} of {entry.in_a_row} looks in a row"
    return VerdictKind.PASS, text


def allowed(entry: AnalysisEntry) -> str:
    """The limits in words."""
    if entry.minimum is None:
        return f"at most {entry.maximum:g} allowed"
    if entry.maximum is None:
        return f"at least {entry.minimum:g} wanted"
    return f"{entry.minimum:g} to {entry.maximum:g} allowed"
