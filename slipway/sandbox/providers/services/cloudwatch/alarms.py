"""Metric alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource, present
from slipway.sandbox.providers.framework.tags import Tagging, tag_map

_ALARM: Mapping[str, str] = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
    "evaluationPeriods": "EvaluationPeriods",
    "extendedStatistic": "ExtendedStatistic",
    "insufficientDataActions": "InsufficientDataActions",
    "metricName": "MetricName",
    "namespace": "Namespace",
    "okActions": "OKActions",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "thresholdMetricId": "ThresholdMetricId",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}


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
        arguments = call.given(**{argument: property_ for property_, argument in _ALARM.items()})
        if dimensions := call.inputs.get("dimensions"):
            arguments["Dimensions"] = [{"Name": key, "Value": value} for key, value in sorted(dimensions.items())]
        if queries := call.inputs.get("metricQueries"):
            arguments["Metrics"] = [_api_query(query) for query in queries]
        call.client("cloudwatch").put_metric_alarm(AlarmName=name, **arguments, **more)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The alarm."""
        result: PropertyMap = {name: live.get(argument) for name, argument in _ALARM.items()}
        for name in ("alarmActions", "okActions", "insufficientDataActions"):
            result[name] = result[name] or None
        result["alarmDescription"] = result["alarmDescription"] or None
        result["treatMissingData"] = result["treatMissingData"] or "missing"
        result["evaluateLowSampleCountPercentiles"] = result["evaluateLowSampleCountPercentiles"] or ""
        dimensions = {item["Name"]: item["Value"] for item in live.get("Dimensions") or []}
        tags = call.client("cloudwatch").list_tags_for_resource(ResourceARN=live["AlarmArn"])["Tags"]
        return {
            **result,
            "arn": live["AlarmArn"],
            "dimensions": dimensions or None,
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
