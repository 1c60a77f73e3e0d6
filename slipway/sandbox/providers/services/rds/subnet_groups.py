"""DB subnet groups."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup
from slipway.sandbox.providers.services.rds.base import RdsResource, live_tags


class SubnetGroup(RdsResource):
    """aws.rds.SubnetGroup"""

    token = "aws:rds/subnetGroup:SubnetGroup"
    lookup = Lookup("describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups")
    deletion = "delete_db_subnet_group"
    id_arguments = ("DBSubnetGroupName",)
    force_new = frozenset({"name", "namePrefix"})
    defaults = {"description": "Managed by Pulumi"}
    auto_name = AutoName(lower=True)
    conflict_codes = frozenset({"DBSubnetGroupAlreadyExists"})

    def create(self, call: Call) -> str:
        name, arguments = self.new_name(call), call.given("subnetIds", DBSubnetGroupDescription="description")
        call.client("rds").create_db_subnet_group(DBSubnetGroupName=name, **arguments, Tags=call.tag_list)
        return name

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The group."""
        arn = live.get("DBSubnetGroupArn") or call.arn("rds", f"subgrp:{id}")
        return {
            "arn": arn,
            "description": live.get("DBSubnetGroupDescription", ""),
            "name": live["DBSubnetGroupName"],
            "subnetIds": [subnet["SubnetIdentifier"] for subnet in live.get("Subnets") or []],
            "supportedNetworkTypes": live.get("SupportedNetworkTypes") or ["IPV4"],
            "tagsAll": live_tags(call, arn),
        }

    def update(self, call: Call, id: str) -> None:
        """Subnets and description."""
        arguments = call.given("subnetIds", DBSubnetGroupDescription="description")
        call.client("rds").modify_db_subnet_group(DBSubnetGroupName=id, **arguments)
