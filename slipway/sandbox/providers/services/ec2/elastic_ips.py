"""Elastic IP addresses."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Lookup, unless_missing
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, tag_specifications


class Eip(Ec2Resource):
    """aws.ec2.Eip"""

    token = "aws:ec2/eip:Eip"
    lookup = Lookup("describe_addresses", "AllocationIds", "Addresses")
    deletion = "release_address"
    id_arguments = ("AllocationId",)
    force_new = frozenset({"address", "domain", "networkBorderGroup", "publicIpv4Pool"})
    unsupported = frozenset({"customerOwnedIpv4Pool", "ipamPoolId"})
    enums = {"domain": ("vpc", "standard")}
    write_only = frozenset({"address", "associateWithPrivateIp"})

    def create(self, call: Call) -> str:
        """Allocate, and associate when something to associate with is given."""
        ec2 = call.client("ec2")
        arguments = call.given("address", "networkBorderGroup", "publicIpv4Pool")
        allocation_id = ec2.allocate_address(
            Domain=call.inputs.get("domain") or "vpc",
            **arguments,
            TagSpecifications=tag_specifications(call, "elastic-ip"),
        )["AllocationId"]
        self._associate(call, allocation_id)
        return allocation_id

    def _associate(self, call: Call, id: str) -> None:
        target = call.given(InstanceId="instance", NetworkInterfaceId="networkInterface")
        if target:
            call.client("ec2").associate_address(
                AllocationId=id, **target, **call.given(PrivateIpAddress="associateWithPrivateIp")
            )

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The address."""
        public, private = live.get("PublicIp", ""), live.get("PrivateIpAddress") or ""
        suffix = "compute-1" if call.region == "us-east-1" else f"{call.region}.compute"
        return {
            "arn": call.arn("ec2", f"elastic-ip/{id}"),
            "domain": live.get("Domain", "vpc"),
            "instance": live.get("InstanceId") or "",
            "networkBorderGroup": live.get("NetworkBorderGroup", call.region),
            "networkInterface": live.get("NetworkInterfaceId") or "",
            "privateDns": f"ip-{private.replace('.', '-')}.ec2.internal" if private else "",
            "privateIp": private,
            "ptrRecord": "",
            "publicDns": f"ec2-{public.replace('.', '-')}.{suffix}.amazonaws.com",
            "publicIp": public,
            "publicIpv4Pool": live.get("PublicIpv4Pool", "amazon"),
            "tagsAll": tag_map(live.get("Tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """Another association."""
        if not call.changes("instance", "networkInterface", "associateWithPrivateIp"):
            return
        self._disassociate(call)
        self._associate(call, id)

    def _disassociate(self, call: Call) -> None:
        association_id = call.outputs.get("associationId")
        if association_id and (call.outputs.get("instance") or call.inputs.get("networkInterface")):
            unless_missing(lambda: call.client("ec2").disassociate_address(AssociationId=association_id))

    def delete(self, call: Call, id: str) -> None:
        """Release the address."""
        self._disassociate(call)
        super().delete(call, id)
