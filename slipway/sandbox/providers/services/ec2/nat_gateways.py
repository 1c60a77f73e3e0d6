"""NAT gateways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Lookup, present
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, tag_specifications

NAT_SECONDS = 600


class NatGateway(Ec2Resource):
    """aws.ec2.NatGateway"""

    token = "aws:ec2/natGateway:NatGateway"
    lookup = Lookup("describe_nat_gateways", "NatGatewayIds", "NatGateways")
    deletion = "delete_nat_gateway"
    id_arguments = ("NatGatewayId",)
    busy_codes = frozenset[str]()
    delete_seconds = NAT_SECONDS  # its address is held until it is gone
    force_new = frozenset({"allocationId", "connectivityType", "privateIp", "subnetId"})
    unsupported = frozenset(
        {
            "availabilityMode",
            "availabilityZoneAddresses",
            "secondaryAllocationIds",
            "secondaryPrivateIpAddressCount",
            "secondaryPrivateIpAddresses",
            "vpcId",
        }
    )
    defaults = {"connectivityType": "public"}
    enums = {"connectivityType": ("public", "private")}

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """A public gateway needs an address."""
        if inputs.get("connectivityType") == "public" and "allocationId" not in inputs:
            yield "allocationId", "allocationId is required when connectivityType is public"

    def create(self, call: Call) -> str:
        """Create and wait until it is available."""
        arguments = call.given("subnetId", "allocationId", "connectivityType", PrivateIpAddress="privateIp")
        tags = tag_specifications(call, "natgateway")
        made = call.client("ec2").create_nat_gateway(**arguments, TagSpecifications=tags)["NatGateway"]
        self.wait_ready(call, made["NatGatewayId"], NAT_SECONDS)
        return made["NatGatewayId"]

    def is_ready(self, id: str, live: dict[str, Any]) -> bool:
        """One that failed stays so."""
        if live.get("State") == "failed":
            raise ProviderError(f"NAT gateway {id} failed: {live.get('FailureCode')}: {live.get('FailureMessage')}")
        return live.get("State") == "available"

    def live(self, call: Call, id: str) -> dict[str, Any] | None:
        """Deleted ones are shown by AWS for a while."""
        gateway = super().live(call, id)
        return None if gateway is None or gateway.get("State") == "deleted" else gateway

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap | None:
        """The gateway, unless it is on its way out."""
        if live.get("State") == "deleting":
            return None
        address = next(iter(live.get("NatGatewayAddresses") or []), {})
        return present(
            allocationId=address.get("AllocationId"),
            associationId=address.get("AssociationId") or "",
            networkInterfaceId=address.get("NetworkInterfaceId") or "",
            privateIp=address.get("PrivateIp") or "",
            publicIp=address.get("PublicIp") or "",
            vpcId=live.get("VpcId"),
            tagsAll=tag_map(live.get("Tags")),
        )
