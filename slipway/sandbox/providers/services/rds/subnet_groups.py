"""DB subnet groups."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call
from slipway.sandbox.providers.services.rds.base import RdsResource, live_tags, rds_name


class SubnetGroup(RdsResource):
    """aws.rds.SubnetGroup"""

    token = "aws:rds/subnetGroup:SubnetGroup"
    force_new = frozenset({"name", "namePrefix"})
    defaults = {"description": "Managed by Pulumi"}
    auto_name = AutoName(lower=True)
    conflicts = (("name", "namePrefix"),)
    conflict_codes = frozenset({"DBSubnetGroupAlreadyExists"})

    def create(self, call: Call) -> str:
        """Create."""
        return call.client("rds").create_db_subnet_group(
            DBSubnetGroupName=rds_name(call),
            DBSubnetGroupDescription=call.inputs["description"],
            SubnetIds=call.inputs["subnetIds"],
            Tags=call.tag_list,
        )["DBSubnetGroup"]["DBSubnetGroupName"]

    def find(self, call: Call) -> str | None:
        """By name."""
        return rds_name(call) if call.inputs.get("name") else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The group."""
        found = call.client("rds").describe_db_subnet_groups(DBSubnetGroupName=id)["DBSubnetGroups"]
        if not found:
            return None
        group = found[0]
        arn = group.get("DBSubnetGroupArn") or call.arn("rds", f"subgrp:{id}")
        return {
            "arn": arn,
            "description": group.get("DBSubnetGroupDescription", ""),
            "name": group["DBSubnetGroupName"],
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "region": call.region,
            "subnetIds": [subnet["SubnetIdentifier"] for subnet in group.get("Subnets") or []],
            "supportedNetworkTypes": group.get("SupportedNetworkTypes") or ["IPV4"],
            "tagsAll": live_tags(call, arn),
            "vpcId": group.get("VpcId", ""),
        }

    def update(self, call: Call, id: str) -> None:
        """Subnets and description."""
        call.client("rds").modify_db_subnet_group(
            DBSubnetGroupName=id,
            DBSubnetGroupDescription=call.inputs["description"],
            SubnetIds=call.inputs["subnetIds"],
        )

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        call.client("rds").delete_db_subnet_group(DBSubnetGroupName=id)


RESOURCES = (SubnetGroup(),)
