"""Every request is counted once; but for the last one of each connection that a reload finds open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def _count(balancer: dict[str, Any], name: str) -> float:
    now = datetime.now(UTC)
    dimension = {"Name": "LoadBalancer", "Value": balancer["LoadBalancerArn"].partition(":loadbalancer/")[2]}
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": [dimension]}
    answer = boto3.client("cloudwatch", "us-east-1").get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 1, "Stat": "Sum"}}],
        StartTime=now - timedelta(minutes=2),
        EndTime=now + timedelta(seconds=5),
    )
    return sum(answer["MetricDataResults"][0]["Values"])


def test_requests_are_counted_once_when_listeners_change_under_load(lab: Any) -> None:
    balancer = lab.load_balancer()
    group = lab.target_group("blue", lab.serve("blue"))
    listener = lab.listener(balancer, {group: 1})
    lab.wait_healthy(group)
    reloads = 4
    with lab.load(balancer["DNSName"]) as load:
        for priority in range(1, reloads + 1):
            lab.elbv2.create_rule(
                ListenerArn=listener,
                Priority=priority,
                Conditions=[{"Field": "path-pattern", "Values": [f"/rule-{priority}"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": group}],
            )
            load.flow(20)
    assert load.failures == []
    # An old worker answers each open connection once more, and may end before it has logged the last of those answers.
    least = load.total - reloads * load.connections
    lab.wait(lambda: _count(balancer, "RequestCount") >= least, "the requests are counted")
    lab.wait(lambda: _count(balancer, "HTTPCode_Target_2XX_Count") >= least, "their answers are counted")
    assert least <= _count(balancer, "RequestCount") <= load.total
    before = _count(balancer, "RequestCount")
    for _ in range(50):
        lab.get(balancer["DNSName"])
    lab.wait(lambda: _count(balancer, "RequestCount") >= before + 50, "what comes after the reloads")
    assert _count(balancer, "RequestCount") == before + 50


def test_no_request_of_many_at_once_goes_uncounted(lab: Any) -> None:
    balancer = lab.load_balancer()
    lab.listener(balancer, {(group := lab.target_group("blue", lab.serve("blue"))): 1})
    lab.wait_healthy(group)
    with lab.load(balancer["DNSName"], connections=16) as load:
        load.flow(800)
    assert load.failures == []
    lab.wait(lambda: _count(balancer, "RequestCount") == load.total, "every request is counted", 10)


def test_requests_without_a_target_are_the_load_balancers_errors(lab: Any) -> None:
    balancer = lab.load_balancer()
    lab.listener(balancer, {lab.target_group("empty"): 1})
    for _ in range(5):
        assert lab.get(balancer["DNSName"]).status == 503
    lab.wait(lambda: _count(balancer, "HTTPCode_ELB_5XX_Count") == 5, "five errors of the load balancer")
    assert _count(balancer, "RequestCount") == 0
    assert _count(balancer, "HTTPCode_Target_5XX_Count") == 0
