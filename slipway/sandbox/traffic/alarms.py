"""When a metric alarm changes its state: pure.

Source: "Using Amazon CloudWatch alarms" (AWS documentation), "Evaluating an alarm" and "Configuring how alarms treat missing data".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

AlarmState = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """What is compared, and how often it must breach."""

    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing_data: str = "missing"
    """`missing`, `ignore`, `breaching` or `notBreaching`."""


@dataclass(frozen=True)
class Verdict:
    """The state that the data asks for, and why."""

    state: AlarmState
    reason: str


def judge(rule: AlarmRule, values: Sequence[float | None], current: AlarmState) -> Verdict:
    """`values`: one per evaluation period, oldest first; None where the metric has no data."""
    compare, words = COMPARISONS[rule.comparison]
    known = [value for value in values if value is not None]
    if not known and rule.treat_missing_data == "ignore":
        return Verdict(current, "no data; the alarm keeps its state")
    if not known and rule.treat_missing_data == "missing":
        return Verdict("INSUFFICIENT_DATA", f"Insufficient Data: {len(values)} datapoints were unknown.")
    breaching = [value for value in known if compare(value, rule.threshold)]
    count = len(breaching) + (len(values) - len(known) if rule.treat_missing_data == "breaching" else 0)
    state: AlarmState = "ALARM" if count >= rule.datapoints_to_alarm else "OK"
    if state == "OK" and known and len(breaching) == len(known) < len(values):
        # All that is known breaches, and it is too little to decide: AWS's table has these two rows for it.
        undecided: dict[str, AlarmState] = {"missing": "ALARM", "ignore": current}
        state = undecided.get(rule.treat_missing_data, state)
    judged = (
        f"{count} out of the last {len(values)} datapoints {breaching} were" if count else f"no datapoint {known} was"
    )
    need = f"minimum {rule.datapoints_to_alarm} for OK -> ALARM transition"
    return Verdict(state, f"Threshold Crossed: {judged} {words} the threshold ({rule.threshold}) ({need}).")


def last_periods(now: float, period_seconds: int, count: int) -> tuple[int, int]:
    """Begin of the first and end of the last of the `count` latest complete periods."""
    end = int(now) // period_seconds * period_seconds
    return end - count * period_seconds, end
