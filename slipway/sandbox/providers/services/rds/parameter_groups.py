"""DB parameter groups."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup
from slipway.sandbox.providers.services.rds.base import RdsResource, live_tags

_PARAMETERS_PER_CALL = 20  # source: ModifyDBParameterGroup API page, 2026


class ParameterGroup(RdsResource):
    """aws.rds.ParameterGroup"""

    token = "aws:rds/parameterGroup:ParameterGroup"
    lookup = Lookup("describe_db_parameter_groups", "DBParameterGroupName", "DBParameterGroups")
    deletion = "delete_db_parameter_group"
    id_arguments = ("DBParameterGroupName",)
    force_new = frozenset({"name", "namePrefix", "family", "description"})
    defaults = {"description": "Managed by Pulumi"}
    auto_name = AutoName(lower=True)
    conflict_codes = frozenset({"DBParameterGroupAlreadyExists"})
    write_only = frozenset({"skipDestroy"})

    def create(self, call: Call) -> str:
        """Create, then set parameters."""
        name = self.new_name(call)
        call.client("rds").create_db_parameter_group(
            DBParameterGroupName=name, **call.given("description", DBParameterGroupFamily="family"), Tags=call.tag_list
        )
        self._set(call, name, call.inputs.get("parameters") or [])
        return name

    @staticmethod
    def _set(call: Call, name: str, parameters: list[PropertyMap]) -> None:
        for start in range(0, len(parameters), _PARAMETERS_PER_CALL):
            call.client("rds").modify_db_parameter_group(
                DBParameterGroupName=name,
                Parameters=[_api_parameter(item) for item in parameters[start : start + _PARAMETERS_PER_CALL]],
            )

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The group and the parameters that were set, not RDS's hundreds of defaults."""
        arn = live.get("DBParameterGroupArn") or call.arn("rds", f"pg:{id}")
        pages = call.client("rds").get_paginator("describe_db_parameters").paginate(DBParameterGroupName=id)
        given = {item["name"]: item for item in call.state.get("parameters") or []}
        shown = [
            {
                "name": item["ParameterName"],
                "value": str(item.get("ParameterValue", "")),
                # RDS answers when a pending value applies, Terraform keeps what was asked for.
                "applyMethod": given.get(item["ParameterName"], {}).get("applyMethod")
                or item.get("ApplyMethod", "immediate"),
            }
            for page in pages
            for item in page["Parameters"]
            if item["ParameterName"] in given or item.get("Source") == "user"
        ]
        return {
            "arn": arn,
            "description": live.get("Description", ""),
            "family": live["DBParameterGroupFamily"],
            "name": live["DBParameterGroupName"],
            "parameters": _as_given(shown, given) or None,
            "tagsAll": live_tags(call, arn),
        }

    def update(self, call: Call, id: str) -> None:
        """Set the given parameters, reset the removed ones."""
        if not call.changes("parameters"):
            return
        wanted = call.inputs.get("parameters") or []
        names = {item["name"] for item in wanted}
        removed = [item for item in call.old_inputs.get("parameters") or [] if item["name"] not in names]
        if removed:
            call.client("rds").reset_db_parameter_group(
                DBParameterGroupName=id,
                Parameters=[
                    {"ParameterName": item["name"], "ApplyMethod": item.get("applyMethod") or "immediate"}
                    for item in removed
                ],
            )
        self._set(call, id, wanted)


def _api_parameter(item: PropertyMap) -> dict[str, str]:
    return {
        "ParameterName": item["name"],
        "ParameterValue": str(item["value"]),
        "ApplyMethod": item.get("applyMethod") or "immediate",
    }


def _as_given(shown: list[PropertyMap], given: dict[str, PropertyMap]) -> list[PropertyMap]:
    """In the program's order and with the keys it wrote, so that equal parameters look equal."""
    order = list(given)
    ordered = sorted(shown, key=lambda item: order.index(item["name"]) if item["name"] in given else len(order))
    return [{key: value for key, value in item.items() if key in given.get(item["name"], item)} for item in ordered]
