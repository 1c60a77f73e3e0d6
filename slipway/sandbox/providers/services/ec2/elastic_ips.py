"""Elastic IP addresses."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import error_code
from slipway.sandbox.providers.framework.resource import Call, tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, tag_specifications


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


RESOURCES = (Eip(),)
