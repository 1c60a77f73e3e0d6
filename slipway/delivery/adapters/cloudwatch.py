"""CloudWatch: what the load balancer counted per target group.

Source: "CloudWatch metrics for your Application Load Balancer" (AWS documentation). RequestCount has every request for which a target was
chosen, HTTPCode_Target_*_Count what targets answered; where the load balancer answers in a target's stead (502, 504), it counts
HTTPCode_ELB_5XX_Count, without a target group. So a request without a good answer of a target is an error, whoever answered it. Dimensions
are LoadBalancer and TargetGroup, the last parts of their ARNs. "Statistics definitions": `TC(a:)` is how many values were above a.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.delivery.adapters.aws import aws_errors
from slipway.delivery.adapters.aws import client as aws_client
from slipway.delivery.model.analysis import MOST, Comparison, Sample
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.series import Point, Series, period_seconds
from slipway.delivery.model.target import LoadBalancerRef
from slipway.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

NAMESPACE = "AWS/ApplicationELB"
COUNTS = {
    "requests": ("RequestCount", "Sum"),
    "answers_2xx": ("HTTPCode_Target_2XX_Count", "Sum"),
    "answers_3xx": ("HTTPCode_Target_3XX_Count", "Sum"),
    "answers_4xx": ("HTTPCode_Target_4XX_Count", "Sum"),
}
P99 = ("TargetResponseTime", "p99")


class CloudWatchMetrics:
    """Implements `ports.Metrics`."""

    source, synthetic = "cloudwatch", False

    def __init__(
        self,
        reference: LoadBalancerRef,
        region: str,
        client: CloudWatchClient | None = None,
        *,
        slow_seconds: float = 1.0,
    ) -> None:
        """`slow_seconds`: an answer that takes longer counts as slow."""
        self._reference = reference
        self._slow = {
            "timed": ("TargetResponseTime", "SampleCount"),
            "slow": ("TargetResponseTime", f"TC({slow_seconds:f}".rstrip("0").rstrip(".") + ":)"),
        }
        self._client: CloudWatchClient = client or aws_client("cloudwatch", region)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """See `Metrics.compare`. The window is widened to whole seconds, the finest that CloudWatch keeps."""
        since, until = since.replace(microsecond=0), (until + timedelta(microseconds=999_999)).replace(microsecond=0)
        # Whole minutes at most: CloudWatch counts longer periods from its own clock, and would leave out the begin of the time asked for.
        period = min(period_seconds((until - since).total_seconds()), 60)
        colours = {"candidate": candidate} | ({"live": live} if live else {})
        queries = [
            self._query(f"{side}_{name}", colour, metric, period)
            for side, colour in colours.items()
            for name, metric in (COUNTS | self._slow).items()
        ]
        found = self._read(queries, since, until)
        samples = {
            side: _sample({name: sum(found.get(f"{side}_{name}", {}).values()) for name in COUNTS | self._slow})
            for side in colours
        }
        return Comparison(
            source=self.source, candidate=samples["candidate"], live=samples.get("live"), counts_synthetic=True
        )

    def series(self, since: datetime, until: datetime, period: int) -> Mapping[Colour, Series]:
        """Both colours' traffic in periods of that many seconds, gaps filled: nothing counted is no request."""
        since, until = since.replace(microsecond=0), until.replace(microsecond=0)
        wanted = COUNTS | {"p99": P99}
        queries = [
            self._query(f"{colour}_{name}", colour, metric, period)
            for colour in Colour
            for name, metric in wanted.items()
        ]
        found = self._read(queries, since, until)
        count = int((until - since).total_seconds()) // period
        begins = [since + timedelta(seconds=number * period) for number in range(count)]
        return {
            colour: Series(
                period_seconds=period,
                points=tuple(
                    _point(at, {name: found.get(f"{colour}_{name}", {}).get(at) for name in wanted}) for at in begins
                ),
            )
            for colour in Colour
        }

    def _read(self, queries: Sequence[Any], since: datetime, until: datetime) -> dict[str, dict[datetime, float]]:
        """The values by query and by where their period begins."""
        values: dict[str, dict[datetime, float]] = {}
        states: dict[str, str] = {}
        with aws_errors("read CloudWatch"):
            paginator = self._client.get_paginator("get_metric_data")
            for page in paginator.paginate(MetricDataQueries=queries, StartTime=since, EndTime=until):
                for result in page["MetricDataResults"]:
                    identity, found = result.get("Id", ""), result.get("Values", [])
                    if not all(0 <= value < MOST for value in found):  # NaN is neither
                        raise OperationError(f"CloudWatch's values of {identity} cannot be counts or seconds")
                    values.setdefault(identity, {}).update(zip(result.get("Timestamps", []), found, strict=True))
                    states[identity] = result.get("StatusCode", "Complete")
        refuse_incomplete(states)
        return values

    def _query(self, identity: str, colour: Colour, metric: tuple[str, str], period: int) -> Any:
        dimensions = [
            {"Name": "LoadBalancer", "Value": load_balancer_dimension(self._reference.arn)},
            {"Name": "TargetGroup", "Value": target_group_dimension(self._reference.target_group(colour))},
        ]
        return {
            "Id": identity,
            "MetricStat": {
                "Metric": {"Namespace": NAMESPACE, "MetricName": metric[0], "Dimensions": dimensions},
                "Period": period,
                "Stat": metric[1],
            },
        }


def refuse_incomplete(states: Mapping[str, str]) -> None:
    """OperationError where an answer is not complete, by the state of a query's last page: it would pass for errors, or for none."""
    for identity, state in states.items():
        if state != "Complete":
            raise OperationError(f"CloudWatch answers {state} to {identity}")


def load_balancer_dimension(arn: str) -> str:
    """`app/<name>/<id>` of a load balancer's ARN."""
    return arn.partition(":loadbalancer/")[2]


def target_group_dimension(arn: str) -> str:
    """`targetgroup/<name>/<id>` of a target group's ARN."""
    return arn.rpartition(":")[2]


def _errors(counts: Mapping[str, float | None]) -> int:
    answered = sum(counts[name] or 0 for name in COUNTS if name != "requests")
    return max(int((counts["requests"] or 0) - answered), 0)


def _point(at: datetime, values: Mapping[str, float | None]) -> Point:
    return Point(at=at, requests=int(values["requests"] or 0), errors=_errors(values), p99_seconds=values["p99"])


def _sample(values: Mapping[str, float]) -> Sample:
    slow = int(values["slow"]) if values["timed"] else None
    return Sample(requests=int(values["requests"]), errors=_errors(values), slow=slow)
