"""What CloudWatch says about real requests through HAProxy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

NAMESPACE = "AWS/ApplicationELB"


def _dimensions(balancer: dict[str, Any], group: str) -> list[dict[str, str]]:
    return [
        {"Name": "TargetGroup", "Value": group.rpartition(":")[2]},
        {"Name": "LoadBalancer", "Value": balancer["LoadBalancerArn"].partition(":loadbalancer/")[2]},
    ]


def _read(dimensions: list[dict[str, str]], name: str, statistic: str, period: int = 1) -> list[float]:
    now = datetime.now(UTC)
    metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    answer = boto3.client("cloudwatch", "us-east-1").get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}],
        StartTime=now - timedelta(seconds=50),
        EndTime=now + timedelta(seconds=10),
    )
    return answer["MetricDataResults"][0]["Values"]


def test_metrics_are_those_of_the_requests_also_across_a_daemon_restart(lab: Any) -> None:
    server = lab.serve("blue")
    balancer = lab.load_balancer()
    group = lab.target_group("blue", server)
    lab.listener(balancer, {group: 100})
    lab.wait_healthy(group)
    dimensions = _dimensions(balancer, group)
    for _ in range(18):
        lab.get(balancer["DNSName"])
    server.delay_seconds, server.status = 1, 500
    for _ in range(2):
        lab.get(balancer["DNSName"])
    lab.wait(lambda: sum(_read(dimensions, "RequestCount", "Sum")) == 20, "20 requests")
    assert sum(_read(dimensions, "HTTPCode_Target_2XX_Count", "Sum", 5)) == 18
    assert sum(_read(dimensions, "HTTPCode_Target_5XX_Count", "Sum", 60)) == 2
    # A minute may end between the requests.
    assert 1 <= max(_read(dimensions, "TargetResponseTime", "p99", 60)) < 10
    assert min(_read(dimensions, "TargetResponseTime", "p50", 60)) < 1
    assert sum(_read(dimensions, "TargetResponseTime", "TC(0.9:)", 60)) == 2
    lab.wait(lambda: 1.0 in _read(dimensions, "HealthyHostCount", "Maximum"), "a healthy host")
    assert sum(_read(dimensions[1:], "RequestCount", "Sum", 10)) == 20
    listed = boto3.client("cloudwatch", "us-east-1").list_metrics(Namespace=NAMESPACE, MetricName="RequestCount")
    assert len(listed["Metrics"]) == 2

    now = datetime.now(UTC)
    statistics = boto3.client("cloudwatch", "us-east-1").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="TargetResponseTime",
        Dimensions=dimensions,
        StartTime=now - timedelta(seconds=50),
        EndTime=now + timedelta(seconds=10),
        Period=60,
        ExtendedStatistics=["p99"],
    )
    assert max(point["ExtendedStatistics"]["p99"] for point in statistics["Datapoints"]) >= 1

    server.delay_seconds, server.status = 0, 200
    lab.restart_daemon()
    lab.get(balancer["DNSName"])
    lab.wait(lambda: sum(_read(dimensions, "RequestCount", "Sum")) == 1, "the request after the restart")
