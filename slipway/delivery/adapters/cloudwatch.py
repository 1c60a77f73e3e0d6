"""CloudWatch: what the load balancer counted per target group.

Source: "CloudWatch metrics for your Application Load Balancer" (AWS documentation): RequestCount, HTTPCode_Target_5XX_Count,
TargetConnectionErrorCount and TargetResponseTime, dimensions LoadBalancer and TargetGroup, which are the last parts of their ARNs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.delivery.adapters.aws import aws_errors
from slipway.delivery.adapters.aws import client as aws_client
from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.series import Point, Series, period_seconds
from slipway.delivery.model.target import LoadBalancerRef

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

NAMESPACE = "AWS/ApplicationELB"
QUERIES = {
    "requests": ("RequestCount", "Sum"),
    "target_errors": ("HTTPCode_Target_5XX_Count", "Sum"),
    "connection_errors": ("TargetConnectionErrorCount", "Sum"),
    "p99": ("TargetResponseTime", "p99"),
}


class CloudWatchMetrics:
    """Implements `ports.Metrics`."""

    def __init__(self, reference: LoadBalancerRef, region: str, client: CloudWatchClient | None = None) -> None:
        self._reference = reference
        self._client: CloudWatchClient = client or aws_client("cloudwatch", region)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """See `Metrics.compare`. The window is widened to whole seconds, the finest that CloudWatch keeps."""
        since, until = since.replace(microsecond=0), (until + timedelta(microseconds=999_999)).replace(microsecond=0)
        period = period_seconds((until - since).total_seconds())
        colours = {"candidate": candidate} | ({"live": live} if live else {})
        queries = [
            self._query(f"{side}_{name}", colour, name, period) for side, colour in colours.items() for name in QUERIES
        ]
        found = self._read(queries, since, until)
        samples = {
            side: _sample({name: list(found.get(f"{side}_{name}", {}).values()) for name in QUERIES})
            for side in colours
        }
        return Comparison(source="cloudwatch", candidate=samples["candidate"], live=samples.get("live"))

    def series(self, since: datetime, until: datetime, period: int) -> Mapping[Colour, Series]:
        """Both colours' traffic in periods of that many seconds, gaps filled: nothing counted is no request."""
        since, until = since.replace(microsecond=0), until.replace(microsecond=0)
        queries = [self._query(f"{colour}_{name}", colour, name, period) for colour in Colour for name in QUERIES]
        found = self._read(queries, since, until)
        count = int((until - since).total_seconds()) // period
        begins = [since + timedelta(seconds=number * period) for number in range(count)]
        return {
            colour: Series(
                period_seconds=period,
                points=tuple(
                    _point(at, {name: found.get(f"{colour}_{name}", {}).get(at) for name in QUERIES}) for at in begins
                ),
            )
            for colour in Colour
        }

    def _read(self, queries: Sequence[Any], since: datetime, until: datetime) -> dict[str, dict[datetime, float]]:
        """The values by query and by where their period begins."""
        values: dict[str, dict[datetime, float]] = {}
        with aws_errors("read CloudWatch"):
            paginator = self._client.get_paginator("get_metric_data")
            for page in paginator.paginate(MetricDataQueries=queries, StartTime=since, EndTime=until):
                for result in page["MetricDataResults"]:
                    pairs = zip(result.get("Timestamps", []), result.get("Values", []), strict=True)
                    values.setdefault(result.get("Id", ""), {}).update(pairs)
        return values

    def _query(self, identity: str, colour: Colour, name: str, period: int) -> Any:
        metric, statistic = QUERIES[name]
        dimensions = [
            {"Name": "LoadBalancer", "Value": load_balancer_dimension(self._reference.arn)},
            {"Name": "TargetGroup", "Value": target_group_dimension(self._reference.target_group(colour))},
        ]
        return {
            "Id": identity,
            "MetricStat": {
                "Metric": {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions},
                "Period": period,
                "Stat": statistic,
            },
        }


def load_balancer_dimension(arn: str) -> str:
    """`app/<name>/<id>` of a load balancer's ARN."""
    return arn.partition(":loadbalancer/")[2]


def target_group_dimension(arn: str) -> str:
    """`targetgroup/<name>/<id>` of a target group's ARN."""
    return arn.rpartition(":")[2]


def _point(at: datetime, values: Mapping[str, float | None]) -> Point:
    return Point(
        at=at,
        requests=int(values["requests"] or 0),
        errors=int((values["target_errors"] or 0) + (values["connection_errors"] or 0)),
        p99_seconds=values["p99"],
    )


def _sample(values: dict[str, list[float]]) -> Sample:
    return Sample(
        requests=int(sum(values["requests"])),
        errors=int(sum(values["target_errors"]) + sum(values["connection_errors"])),
        # Several periods have several percentiles; the worst one is the honest summary.
        p99_seconds=max(values["p99"], default=None),
    )
