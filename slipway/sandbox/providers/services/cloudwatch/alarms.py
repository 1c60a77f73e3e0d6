"""Metric alarms."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource, present
from slipway.sandbox.providers.framework.tags import Tagging, tag_map
from slipway.sandbox.providers.framework.wire import api_arguments


class MetricAlarm(Resource):
    """aws.cloudwatch.MetricAlarm"""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    service = "cloudwatch"
    lookup = Lookup("describe_alarms", "AlarmNames", "MetricAlarms")
    deletion = "delete_alarms"
    id_arguments = ("AlarmNames",)
    tagging = Tagging(target="ResourceARN")
    force_new = frozenset({"name"})
    defaults = {"actionsEnabled": True, "treatMissingData": "missing"}
    auto_name = AutoName()
    conflicts = (("statistic", "extendedStatistic"), ("metricName", "metricQueries"))
    enums = {"treatMissingData": ("breaching", "notBreaching", "ignore", "missing")}
    unsupported = frozenset({"evaluationCriteria", "evaluationInterval", "evaluationWindow", "warmUpConfiguration"})

    def check(self, inputs: PropertyMap) -> list[tuple[str, str]]:
        """What PutMetricAlarm needs."""
        failures: list[tuple[str, str]] = []
        if "metricName" in inputs and "statistic" not in inputs and "extendedStatistic" not in inputs:
            failures.append(("statistic", "one of statistic, extendedStatistic must be given with metricName"))
        if "metricName" not in inputs and "metricQueries" not in inputs:
            failures.append(("metricName", "one of metricName, metricQueries must be given"))
        return failures

    def create(self, call: Call) -> str:
        """Put; an alarm of the same name is taken over, as with the real API."""
        self._put(call, call.inputs["name"], Tags=call.tag_list)
        return call.inputs["name"]

    @staticmethod
    def _put(call: Call, name: str, **more: Any) -> None:
        cloudwatch = call.client("cloudwatch")
        low_samples = {"EvaluateLowSampleCountPercentile": "evaluateLowSampleCountPercentiles"}
        named = api_arguments(cloudwatch, "put_metric_alarm", call.inputs, **low_samples)
        if dimensions := call.inputs.get("dimensions"):
            named["Dimensions"] = [{"Name": key, "Value": value} for key, value in sorted(dimensions.items())]
        if queries := call.inputs.get("metricQueries"):
            named["Metrics"] = [_api_query(query) for query in queries]
        cloudwatch.put_metric_alarm(AlarmName=name, **named, **more)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The alarm."""
        dimensions = {item["Name"]: item["Value"] for item in live.get("Dimensions") or []}
        tags = call.client("cloudwatch").list_tags_for_resource(ResourceARN=live["AlarmArn"])["Tags"]
        return {
            "arn": live["AlarmArn"],
            "dimensions": dimensions or None,
            "evaluateLowSampleCountPercentiles": live.get("EvaluateLowSampleCountPercentile") or "",
            "name": live["AlarmName"],
            "tagsAll": tag_map(tags),
        }

    def update(self, call: Call, id: str) -> None:
        """Put again: it replaces everything but tags."""
        self._put(call, id)


def _api_query(query: PropertyMap) -> dict[str, Any]:
    metric = query.get("metric")
    stat: dict[str, Any] | None = None
    if metric:
        named = [{"Name": key, "Value": value} for key, value in sorted((metric.get("dimensions") or {}).items())]
        stat = present(
            Metric=present(Namespace=metric.get("namespace"), MetricName=metric["metricName"], Dimensions=named),
            Period=metric["period"],
            Stat=metric["stat"],
            Unit=metric.get("unit"),
        )
    return present(
        Id=query["id"],
        AccountId=query.get("accountId"),
        Expression=query.get("expression"),
        Label=query.get("label"),
        MetricStat=stat,
        Period=query.get("period"),
        ReturnData=query.get("returnData"),
    )
