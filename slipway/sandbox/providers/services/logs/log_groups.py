"""CloudWatch log groups."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import argument, looked_up
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource
from slipway.sandbox.providers.framework.tags import Tagging


class LogGroup(Resource):
    """aws.cloudwatch.LogGroup"""

    token = "aws:cloudwatch/logGroup:LogGroup"
    lookup = Lookup("describe_log_groups", "", "logGroups")
    deletion = "delete_log_group"
    id_arguments = ("logGroupName",)
    found_by_name = True
    tagging = Tagging(target="resourceArn")
    service = "logs"
    force_new = frozenset({"name", "namePrefix", "logGroupClass"})
    defaults = {"retentionInDays": 0, "skipDestroy": False}
    auto_name = AutoName(max_length=512)
    conflict_codes = frozenset({"ResourceAlreadyExistsException"})
    write_only = frozenset({"skipDestroy"})
    unsupported = frozenset({"deletionProtectionEnabled"})

    def create(self, call: Call) -> str:
        """Create and set the retention; 0 days means for ever."""
        name = self.new_name(call)
        call.client("logs").create_log_group(
            logGroupName=name, tags=call.tags, **call.given(kmsKeyId="kmsKeyId", logGroupClass="logGroupClass")
        )
        self._set_retention(call, name)
        return name

    @staticmethod
    def _set_retention(call: Call, name: str) -> None:
        if days := call.inputs.get("retentionInDays"):
            call.client("logs").put_retention_policy(logGroupName=name, retentionInDays=days)

    def live(self, call: Call, id: str) -> dict[str, Any] | None:
        """The group among those with its prefix; Logs has no call for one."""
        pages = call.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=id)
        return next((group for page in pages for group in page["logGroups"] if group["logGroupName"] == id), None)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The group."""
        arn = str(live["arn"]).removesuffix(":*")
        return {
            "arn": arn,
            "logGroupClass": live.get("logGroupClass") or "STANDARD",
            "name": id,
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


get_log_group = looked_up("aws:cloudwatch/getLogGroup:getLogGroup", LogGroup(), argument("name"))
