"""CloudWatch: any metric, and metric math."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

from slipway.contract.analysis import CloudWatchEntry
from slipway.delivery.adapters.analysis.filling import fill, words
from slipway.delivery.adapters.aws import aws_errors, brief_client
from slipway.delivery.adapters.cloudwatch import load_balancer_dimension, refuse_incomplete, target_group_dimension
from slipway.delivery.model.analysis import Answer, Subject
from slipway.delivery.model.target import LoadBalancerRef
from slipway.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

OVER: Mapping[str, Callable[[Sequence[float]], float]] = {
    "average": fmean,
    "maximum": max,
    "minimum": min,
    "sum": sum,
    "last": lambda values: values[-1],
}
NAMES = ("value", "bad", "total")
DIMENSION = re.compile(r"[A-Za-z0-9/._-]{1,255}")


class CloudWatch:
    """Answers entries of type `cloudwatch`."""

    def __init__(
        self, reference: LoadBalancerRef, region: str, make_client: Callable[[float], CloudWatchClient] | None = None
    ) -> None:
        """`make_client` makes one whose calls last so many seconds at most."""
        self._reference = reference
        self._make_client: Callable[[float], CloudWatchClient] = make_client or partial(
            brief_client, "cloudwatch", region
        )

    def answer(self, entry: CloudWatchEntry, subject: Subject) -> Answer:
        """See `Provider.answer`."""
        queries, ids = self._queries(entry, subject)
        with aws_errors("read CloudWatch"):
            values = self._read(self._make_client(entry.timeout_seconds), queries, subject)
        found = {name: values.get(identity, []) for name, identity in ids.items()}
        if not entry.counts:
            return Answer(value=OVER[entry.over](found["value"]) if found["value"] else None)
        return Answer(bad=round(sum(found["bad"])), total=round(sum(found["total"]))) if found["total"] else Answer()

    def _queries(self, entry: CloudWatchEntry, subject: Subject) -> tuple[list[Any], Mapping[str, str]]:
        """What to ask for, and the id of each of the entry's numbers."""
        words_found = self._words(subject)
        asked = {name: text for name in NAMES if (text := getattr(entry, name)) is not None}
        # An expression that is nothing but an id is no expression for CloudWatch.
        ids = {name: text if text in entry.metrics else f"slipway_{name}" for name, text in asked.items()}
        queries: list[Any] = []
        for identity, metric in entry.metrics.items():
            dimensions = [
                {"Name": name, "Value": fill(value, words_found, str)} for name, value in metric.dimensions.items()
            ]
            queries.append(
                {
                    "Id": identity,
                    "MetricStat": {
                        "Metric": {
                            "Namespace": metric.namespace,
                            "MetricName": metric.metric_name,
                            "Dimensions": dimensions,
                        },
                        "Period": entry.period_seconds,
                        "Stat": metric.statistic,
                    },
                    "ReturnData": identity in ids.values(),
                }
            )
        queries += [
            {
                "Id": ids[name],
                "Expression": fill(text, words_found, str),
                "Period": entry.period_seconds,
                "ReturnData": True,
            }
            for name, text in asked.items()
            if text not in entry.metrics
        ]
        return queries, ids

    def _words(self, subject: Subject) -> Mapping[str, str]:
        found = {
            **words(subject),
            "targetGroup": target_group_dimension(self._reference.target_group(subject.colour)),
            "loadBalancer": load_balancer_dimension(self._reference.arn),
        }
        for name, word in found.items():
            if not DIMENSION.fullmatch(word):
                raise OperationError(f"the {name} {word!r} cannot be put into a query")
        return found

    def _read(self, client: CloudWatchClient, queries: Sequence[Any], subject: Subject) -> dict[str, list[float]]:
        """Values by id, oldest first. An answer that is not complete is a fault."""
        values: dict[str, list[tuple[datetime, float]]] = {}
        states: dict[str, str] = {}
        labels: dict[str, set[str]] = {}
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=subject.since.replace(microsecond=0),
            EndTime=subject.until,
            ScanBy="TimestampAscending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                identity = result.get("Id", "")
                states[identity] = result.get("StatusCode", "Complete")
                labels.setdefault(identity, set()).add(result.get("Label", ""))
                pairs = zip(result.get("Timestamps", []), result.get("Values", []), strict=True)
                values.setdefault(identity, []).extend(pairs)
        refuse_incomplete(states)
        for identity, found in labels.items():
            if len(found) > 1:
                raise OperationError(f"{identity} gives {len(found)} series, want one: aggregate it with SUM(…)")
        return {identity: [value for _, value in sorted(pairs)] for identity, pairs in values.items()}
