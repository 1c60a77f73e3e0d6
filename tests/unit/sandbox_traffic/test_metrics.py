"""Statistics over stored values, and what a line of HAProxy's log counts as."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID

from slipway.sandbox.traffic.counting import Counter
from slipway.sandbox.traffic.metrics import NAMESPACE, Metrics, Pace, Series, Values, by_period, percentile_of
from slipway.sandbox.traffic.model import LoadBalancer, Plan, TargetGroup
from slipway.sandbox.traffic.moto_hooks.alarm_watch import evaluate_alarms
from slipway.sandbox.traffic.request_log import parse_request

SERIES = Series("1", "us-east-1", NAMESPACE, "TargetResponseTime", frozenset({("LoadBalancer", "app/a/1")}))
PREFIX = "arn:aws:elasticloadbalancing:us-east-1:1:"
BALANCER = LoadBalancer(arn=f"{PREFIX}loadbalancer/app/edge/b1", account="1", region="us-east-1", address="127.0.10.1")
GROUP = TargetGroup(arn=f"{PREFIX}targetgroup/blue/g1", account="1", region="us-east-1")
NOW = 1_800_000_000


def test_percentile_is_a_value_that_occurred_when_asked_for_p99() -> None:
    values = Values()
    for value in range(1, 101):
        values.add(float(value))
    assert [values.statistic(name) for name in ("p0", "p29", "p50", "p99", "p99.5", "p100")] == [
        1,
        29,
        50,
        99,
        100,
        100,
    ]
    assert values.statistic("Average") == 50.5


@pytest.mark.parametrize(
    ("name", "count"),
    [("TC(97:)", 3), ("TC(97:99)", 2), ("TC(:2)", 2), ("TC(100:)", 0), ("TC(:)", None), ("TC(10%:)", None)],
)
def test_trimmed_count_leaves_out_its_lower_bound(name: str, count: float | None) -> None:
    values = Values()
    for value in range(1, 101):
        values.add(float(value))
    assert values.statistic(name) == count


def test_percentile_is_unknown_when_a_statistic_set_hides_the_values() -> None:
    values = Values()
    values.add_set(3, 6.0, 1.0, 3.0)
    assert values.statistic("p99") is None
    assert (values.statistic("Sum"), values.statistic("Maximum")) == (6.0, 3.0)


@pytest.mark.parametrize("name", ["p", "p101", "pfoo", "tm99", "P99"])
def test_statistic_is_no_percentile_when_malformed(name: str) -> None:
    assert percentile_of(name) is None


@pytest.mark.parametrize(("period", "sums"), [(1, [1, 1, 1, 1]), (5, [3, 1]), (10, [4])])
def test_periods_count_from_the_start_when_short(period: int, sums: list[float]) -> None:
    metrics = Metrics()
    for offset in (0, 7.9, 4, 1):
        metrics.add(SERIES, NOW + 3 + offset, 1.0)
    periods = by_period(metrics.read(SERIES, NOW + 3, NOW + 13), NOW + 3, period)
    assert [values.statistic("Sum") for values in periods.values()] == sums
    assert all((begin - NOW - 3) % period == 0 for begin in periods)


def test_read_leaves_out_the_end_when_a_value_is_exactly_there() -> None:
    metrics = Metrics()
    metrics.add(SERIES, NOW, 1.0)
    assert not metrics.read(SERIES, NOW - 5, NOW)
    assert metrics.read(SERIES, NOW, NOW + 1)


def test_values_are_dropped_when_older_than_an_hour() -> None:
    metrics = Metrics()
    metrics.add(SERIES, time.time() - 3700, 1.0)
    metrics.forget_old()
    assert not metrics.series("1", "us-east-1")


def _counts(line: str) -> dict[str, float]:
    """Name with `*` for the load balancer's own series: sum."""
    metrics = Metrics()
    counter = Counter(metrics, lambda: Plan(load_balancers=(BALANCER,), target_groups={GROUP.arn: GROUP}))
    request = parse_request(line)
    assert request
    counter.count_request(request)
    found: dict[str, float] = {}
    for series in metrics.series("1", "us-east-1"):
        ((_, values),) = metrics.read(series, NOW, NOW + 1)
        found[series.name + ("" if len(series.dimensions) == 2 else "*")] = values.statistic("Sum") or 0
    return found


def test_request_counts_for_group_and_balancer_when_target_answers() -> None:
    counted = _counts(f"{NOW}250000 edge_b1_80 blue_g1 10.0.0.1:80 500 12 0 ---- 120 forward")
    names = ("RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime")
    assert counted == {name + star: 0.012 if "Time" in name else 1 for name in names for star in ("", "*")}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("blue_g1 <NOSRV> 503 -1 0 SC-- 120 forward", {"HTTPCode_ELB_5XX_Count*": 1}),
        ("edge_b1_80 <NOSRV> 404 -1 0 LR-- 120 fixed", {"HTTP_Fixed_Response_Count*": 1}),
        (
            "blue_g1 10.0.0.1:80 502 -1 0 SH-- 120 forward",
            {"RequestCount": 1, "RequestCount*": 1, "HTTPCode_ELB_5XX_Count*": 1},
        ),
        (
            "blue_g1 10.0.0.1:80 503 -1 +3 SC-- 120 forward",
            {
                "RequestCount": 1,
                "RequestCount*": 1,
                "HTTPCode_ELB_5XX_Count*": 1,
                "TargetConnectionErrorCount": 4,
                "TargetConnectionErrorCount*": 4,
            },
        ),
    ],
)
def test_errors_count_as_aws_counts_them_when_no_target_answers(fields: str, expected: dict[str, float]) -> None:
    assert _counts(f"{NOW}250000 edge_b1_80 {fields}") == expected


def test_line_is_ignored_when_it_is_no_request() -> None:
    assert parse_request("haproxy started") is None
    assert parse_request(f"{NOW}000000 edge b s 200 1 0 ---- 1 -") is None
    assert parse_request("x edge b s 200 1 0 ---- 1 forward") is None


def test_minute_is_read_whole_two_minutes_after_its_end_at_the_pace_of_aws() -> None:
    now = [1_200_000_000.0]
    metrics = Metrics(lambda: now[0])
    metrics.pace = Pace.AWS
    for second in (0, 1, 1, 59, 60, 119, 240):
        metrics.add(SERIES, now[0] + second, 1.0)
    begin = now[0]

    def read(seconds_later: float, end: float = 600) -> list[tuple[float, float | None]]:
        now[0] = begin + seconds_later
        return [(at - begin, values.statistic("Sum")) for at, values in metrics.read(SERIES, begin, begin + end)]

    assert read(179) == []
    assert read(180) == [(0, 4)]
    assert read(239) == [(0, 4)]
    assert read(240) == [(0, 4), (60, 2)]
    assert read(500) == [(0, 4), (60, 2), (240, 1)], "no datapoint for minutes without requests"
    assert read(500, end=60) == [(0, 4)]
    metrics.pace = Pace.LIVE
    assert read(1) == [(0, 1), (1, 2), (59, 1), (60, 1), (119, 1), (240, 1)]


@mock_aws
def test_alarm_judges_the_last_minute_that_has_come_at_the_pace_of_aws() -> None:
    cloudwatch: Any = boto3.client("cloudwatch", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace=NAMESPACE,
        MetricName=SERIES.name,
        Dimensions=[{"Name": "LoadBalancer", "Value": "app/a/1"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
    )
    metrics = Metrics()
    metrics.pace = Pace.AWS
    begin = (time.time() - 120) // 60 * 60 - 60
    for second in (begin + 1, begin + 61):  # a minute may end before the alarm is judged
        metrics.add(replace(SERIES, account=DEFAULT_ACCOUNT_ID), second, 1.0)
    evaluate_alarms(metrics)
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "ALARM"
    assert metrics.delay_seconds("Orders") == 0, "others' metrics are not late"
