"""CloudWatch log groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.arn_tags import MapTags
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.functions import Function, argument, looked_up
from slipway.sandbox.providers.framework.resource import AutoName, Call


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


RESOURCES = (LogGroup(),)
FUNCTIONS: Mapping[str, Function] = {
    "aws:cloudwatch/getLogGroup:getLogGroup": looked_up(LogGroup(), argument("name")),
}
