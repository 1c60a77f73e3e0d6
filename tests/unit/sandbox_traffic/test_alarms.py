"""When an alarm changes its state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slipway.sandbox.traffic.alarms import AlarmRule, AlarmState, judge, last_periods

RULE = AlarmRule(comparison="GreaterThanThreshold", threshold=5, evaluation_periods=3, datapoints_to_alarm=2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([6, 1, 6], "ALARM"),
        ([6, 1, 5], "OK"),
        ([None, None, 1], "OK"),
        ([None, 6, 6], "ALARM"),
        ([None, None, None], "INSUFFICIENT_DATA"),
    ],
)
def test_alarm_goes_off_when_enough_datapoints_breach(values: list[float | None], expected: AlarmState) -> None:
    assert judge(RULE, values, "OK").state == expected


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [("ignore", "ALARM"), ("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA")],
)
def test_alarm_does_as_told_when_there_is_no_data(treatment: str, expected: AlarmState) -> None:
    assert judge(replace(RULE, treat_missing_data=treatment), [None, None, None], "ALARM").state == expected


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [("missing", "ALARM"), ("ignore", "INSUFFICIENT_DATA"), ("breaching", "ALARM"), ("notBreaching", "OK")],
)
def test_alarm_does_as_told_when_the_only_datapoint_breaches(treatment: str, expected: AlarmState) -> None:
    rule = replace(RULE, treat_missing_data=treatment)
    assert judge(rule, [None, 6, None], "INSUFFICIENT_DATA").state == expected


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("GreaterThanThreshold", "OK"),
        ("GreaterThanOrEqualToThreshold", "ALARM"),
        ("LessThanThreshold", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM"),
    ],
)
def test_equal_values_breach_only_when_the_comparison_says_so(comparison: str, expected: AlarmState) -> None:
    assert judge(replace(RULE, comparison=comparison), [5, 5, 5], "OK").state == expected


def test_periods_are_the_latest_complete_ones() -> None:
    assert last_periods(125.9, 60, 2) == (0, 120)
    assert last_periods(125.9, 10, 3) == (90, 120)
