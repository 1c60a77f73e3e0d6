"""NAT gateways."""

from __future__ import annotations

from collections.abc import Iterable

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, present, tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, tag_specifications

NAT_SECONDS = 600


class NatGateway(Ec2Resource):
    """aws.ec2.NatGateway"""

    token = "aws:ec2/natGateway:NatGateway"
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
        ec2 = call.client("ec2")
        arguments = call.given(
            SubnetId="subnetId",
            AllocationId="allocationId",
            ConnectivityType="connectivityType",
            PrivateIpAddress="privateIp",
        )
        gateway_id = ec2.create_nat_gateway(**arguments, TagSpecifications=tag_specifications(call, "natgateway"))[
            "NatGateway"
        ]["NatGatewayId"]
        call.wait(
            f"NAT gateway {gateway_id} to be available",
            lambda: self._state(call, gateway_id) == "available",
            seconds=NAT_SECONDS,
        )
        return gateway_id

    def _describe(self, call: Call, id: str) -> PropertyMap | None:
        found = call.client("ec2").describe_nat_gateways(NatGatewayIds=[id])["NatGateways"]
        return found[0] if found else None

    def _state(self, call: Call, id: str) -> str:
        gateway = self._describe(call, id) or {}
        if gateway.get("State") == "failed":
            raise ProviderError(
                f"NAT gateway {id} failed: {gateway.get('FailureCode')}: {gateway.get('FailureMessage')}"
            )
        return str(gateway.get("State", "deleted"))

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The gateway; deleted ones are shown by AWS for a while."""
        gateway = self._describe(call, id)
        if gateway is None or gateway.get("State") in {"deleted", "deleting"}:
            return None
        address = next(iter(gateway.get("NatGatewayAddresses") or []), {})
        return present(
            allocationId=address.get("AllocationId"),
            associationId=address.get("AssociationId") or "",
            connectivityType=gateway.get("ConnectivityType", "public"),
            networkInterfaceId=address.get("NetworkInterfaceId") or "",
            privateIp=address.get("PrivateIp") or "",
            publicIp=address.get("PublicIp") or "",
            region=call.region,
            subnetId=gateway.get("SubnetId"),
            vpcId=gateway.get("VpcId"),
            tagsAll=tag_map(gateway.get("Tags")),
        )

    def delete(self, call: Call, id: str) -> None:
        """Delete and wait: its address is held until it is gone."""
        call.client("ec2").delete_nat_gateway(NatGatewayId=id)
        call.wait(f"NAT gateway {id} to be deleted", lambda: self._state(call, id) == "deleted", seconds=NAT_SECONDS)


RESOURCES = (NatGateway(),)
