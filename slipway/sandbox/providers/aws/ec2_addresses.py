"""Elastic IPs and NAT gateways."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002 - `id` and `token` are Pulumi's words; a type's tables are constants
from collections.abc import Iterable

from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.ec2_vpc import Ec2Resource, tag_specifications
from slipway.sandbox.providers.aws.faults import error_code
from slipway.sandbox.providers.aws.resource import Call, present, tag_map

NAT_SECONDS = 600


class Eip(Ec2Resource):
    """aws.ec2.Eip"""

    token = "aws:ec2/eip:Eip"
    force_new = frozenset({"address", "domain", "networkBorderGroup", "publicIpv4Pool"})
    unsupported = frozenset({"customerOwnedIpv4Pool", "ipamPoolId"})
    enums = {"domain": ("vpc", "standard")}
    write_only = frozenset({"address", "associateWithPrivateIp"})

    def create(self, call: Call) -> str:
        """Allocate, and associate when something to associate with is given."""
        ec2 = call.client("ec2")
        arguments = call.given(
            Address="address", NetworkBorderGroup="networkBorderGroup", PublicIpv4Pool="publicIpv4Pool"
        )
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

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The address."""
        address = call.client("ec2").describe_addresses(AllocationIds=[id])["Addresses"][0]
        public, private = address.get("PublicIp", ""), address.get("PrivateIpAddress") or ""
        suffix = "compute-1" if call.region == "us-east-1" else f"{call.region}.compute"
        return {
            "allocationId": address["AllocationId"],
            "arn": call.arn("ec2", f"elastic-ip/{id}"),
            "associationId": address.get("AssociationId") or "",
            "carrierIp": address.get("CarrierIp", ""),
            "customerOwnedIp": address.get("CustomerOwnedIp", ""),
            "domain": address.get("Domain", "vpc"),
            "instance": address.get("InstanceId") or "",
            "networkBorderGroup": address.get("NetworkBorderGroup", call.region),
            "networkInterface": address.get("NetworkInterfaceId") or "",
            "privateDns": f"ip-{private.replace('.', '-')}.ec2.internal" if private else "",
            "privateIp": private,
            "ptrRecord": "",
            "publicDns": f"ec2-{public.replace('.', '-')}.{suffix}.amazonaws.com",
            "publicIp": public,
            "publicIpv4Pool": address.get("PublicIpv4Pool", "amazon"),
            "region": call.region,
            "tagsAll": tag_map(address.get("Tags")),
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
            try:
                call.client("ec2").disassociate_address(AssociationId=association_id)
            except Exception as error:
                if error_code(error) != "InvalidAssociationID.NotFound":
                    raise

    def delete(self, call: Call, id: str) -> None:
        """Release the address."""
        self._disassociate(call)
        call.client("ec2").release_address(AllocationId=id)


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


RESOURCES = (Eip(), NatGateway())
