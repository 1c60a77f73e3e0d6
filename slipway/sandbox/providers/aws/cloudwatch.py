"""CloudWatch log groups, alarms and dashboards."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002 - `id` and `token` are Pulumi's words; a type's tables are constants
from collections.abc import Mapping
from typing import Any

from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.arn_tags import ListTags, MapTags
from slipway.sandbox.providers.aws.check import prefixed_name
from slipway.sandbox.providers.aws.resource import AutoName, Call, Resource, present, tag_map


class LogGroup(MapTags):
    """aws.cloudwatch.LogGroup"""

    token = "aws:cloudwatch/logGroup:LogGroup"
    service = "logs"
    force_new = frozenset({"name", "namePrefix", "logGroupClass"})
    defaults = {"retentionInDays": 0, "skipDestroy": False}
    auto_name = AutoName(max_length=512)
    conflicts = (("name", "namePrefix"),)
    conflict_codes = frozenset({"ResourceAlreadyExistsException"})
    write_only = frozenset({"skipDestroy"})
    unsupported = frozenset({"deletionProtectionEnabled"})

    def create(self, call: Call) -> str:
        """Create and set the retention; 0 days means for ever."""
        name = str(call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"]))
        call.client("logs").create_log_group(
            logGroupName=name, tags=call.tags, **call.given(kmsKeyId="kmsKeyId", logGroupClass="logGroupClass")
        )
        self._set_retention(call, name)
        return name

    @staticmethod
    def _set_retention(call: Call, name: str) -> None:
        if days := call.inputs.get("retentionInDays"):
            call.client("logs").put_retention_policy(logGroupName=name, retentionInDays=days)

    def find(self, call: Call) -> str | None:
        """By name."""
        return call.inputs.get("name")

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The group among those with its prefix; Logs has no call for one."""
        logs = call.client("logs")
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=id):
            for group in page["logGroups"]:
                if group["logGroupName"] == id:
                    return self._shown(call, group)
        return None

    @staticmethod
    def _shown(call: Call, group: dict[str, Any]) -> PropertyMap:
        arn = str(group["arn"]).removesuffix(":*")
        return {
            "arn": arn,
            "kmsKeyId": group.get("kmsKeyId") or None,
            "logGroupClass": group.get("logGroupClass") or "STANDARD",
            "name": group["logGroupName"],
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "region": call.region,
            "retentionInDays": group.get("retentionInDays") or 0,
            "tagsAll": dict(call.client("logs").list_tags_for_resource(resourceArn=arn).get("tags") or {}),
        }

    def update(self, call: Call, id: str) -> None:
        """Retention and key."""
        logs = call.client("logs")
        if call.changes("retentionInDays"):
            if call.inputs.get("retentionInDays"):
                self._set_retention(call, id)
            else:
                logs.delete_retention_policy(logGroupName=id)
        if call.changes("kmsKeyId"):
            if call.inputs.get("kmsKeyId"):
                logs.associate_kms_key(logGroupName=id, kmsKeyId=call.inputs["kmsKeyId"])
            else:
                logs.disassociate_kms_key(logGroupName=id)

    def delete(self, call: Call, id: str) -> None:
        """Delete, unless it is to stay."""
        if not {**call.outputs, **call.inputs}.get("skipDestroy"):
            call.client("logs").delete_log_group(logGroupName=id)


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


class MetricAlarm(ListTags):
    """aws.cloudwatch.MetricAlarm"""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    service = "cloudwatch"
    arn_argument = "ResourceARN"
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

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The alarm."""
        client = call.client("cloudwatch")
        found = client.describe_alarms(AlarmNames=[id], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        if not found:
            return None
        alarm = found[0]
        result: PropertyMap = {name: alarm.get(argument) for name, argument in _ALARM.items()}
        for name in ("alarmActions", "okActions", "insufficientDataActions"):
            result[name] = result[name] or None
        result["alarmDescription"] = result["alarmDescription"] or None
        result["treatMissingData"] = result["treatMissingData"] or "missing"
        result["evaluateLowSampleCountPercentiles"] = result["evaluateLowSampleCountPercentiles"] or ""
        dimensions = {item["Name"]: item["Value"] for item in alarm.get("Dimensions") or []}
        tags = client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        return {
            **result,
            "arn": alarm["AlarmArn"],
            "dimensions": dimensions or None,
            "name": alarm["AlarmName"],
            "region": call.region,
            "tagsAll": tag_map(tags),
        }

    def update(self, call: Call, id: str) -> None:
        """Put again: it replaces everything but tags."""
        self._put(call, id)

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        call.client("cloudwatch").delete_alarms(AlarmNames=[id])


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


class Dashboard(Resource):
    """aws.cloudwatch.Dashboard"""

    token = "aws:cloudwatch/dashboard:Dashboard"
    force_new = frozenset({"dashboardName"})
    json_properties = frozenset({"dashboardBody"})

    def create(self, call: Call) -> str:
        """Put; a dashboard of the same name is taken over, as with the real API."""
        self._put(call, call.inputs["dashboardName"])
        return call.inputs["dashboardName"]

    def _put(self, call: Call, name: str) -> None:
        answer = call.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=call.inputs["dashboardBody"])
        if faults := answer.get("DashboardValidationMessages"):
            raise ProviderError(f"{self.token}: {name}: {faults[0].get('Message', faults[0])}")

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The dashboard."""
        found = call.client("cloudwatch").get_dashboard(DashboardName=id)
        return {
            "dashboardArn": found["DashboardArn"],
            "dashboardBody": found["DashboardBody"],
            "dashboardName": found["DashboardName"],
            "region": call.region,
        }

    def update(self, call: Call, id: str) -> None:
        """Put again."""
        self._put(call, id)

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        call.client("cloudwatch").delete_dashboards(DashboardNames=[id])


RESOURCES = (LogGroup(), MetricAlarm(), Dashboard())
