"""Subnets."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import Function, FunctionCall
from slipway.sandbox.providers.framework.resource import Call, tag_map
from slipway.sandbox.providers.services.ec2.base import (
    Ec2Resource,
    deleted_when_free,
    filters,
    given_filters,
    tag_specifications,
)


class Subnet(Ec2Resource):
    """aws.ec2.Subnet"""

    token = "aws:ec2/subnet:Subnet"
    force_new = frozenset({"vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId"})
    unsupported = frozenset(
        {
            "customerOwnedIpv4Pool",
            "enableLniAtDeviceIndex",
            "enableResourceNameDnsARecordOnLaunch",
            "enableResourceNameDnsAaaaRecordOnLaunch",
            "ipv4IpamPoolId",
            "ipv4NetmaskLength",
            "ipv6IpamPoolId",
            "ipv6Native",
            "ipv6NetmaskLength",
            "mapCustomerOwnedIpOnLaunch",
            "outpostArn",
            "privateDnsHostnameTypeOnLaunch",
        }
    )
    defaults = {
        "assignIpv6AddressOnCreation": False,
        "enableDns64": False,
        "enableResourceNameDnsARecordOnLaunch": False,
        "enableResourceNameDnsAaaaRecordOnLaunch": False,
        "ipv6Native": False,
        "mapPublicIpOnLaunch": False,
    }
    conflicts = (("availabilityZone", "availabilityZoneId"),)
    conflict_codes = frozenset({"InvalidSubnet.Conflict"})
    _ATTRIBUTES = ("mapPublicIpOnLaunch", "assignIpv6AddressOnCreation", "enableDns64")

    def create(self, call: Call) -> str:
        """Create, then set what CreateSubnet does not take."""
        ec2 = call.client("ec2")
        arguments = call.given(
            VpcId="vpcId",
            CidrBlock="cidrBlock",
            Ipv6CidrBlock="ipv6CidrBlock",
            AvailabilityZone="availabilityZone",
            AvailabilityZoneId="availabilityZoneId",
        )
        subnet_id = ec2.create_subnet(**arguments, TagSpecifications=tag_specifications(call, "subnet"))["Subnet"][
            "SubnetId"
        ]
        self._set_attributes(call, subnet_id, frozenset(name for name in self._ATTRIBUTES if call.inputs.get(name)))
        return subnet_id

    def find(self, call: Call) -> str | None:
        """The subnet of the same VPC and range."""
        if not call.inputs.get("cidrBlock"):
            return None
        found = call.client("ec2").describe_subnets(
            Filters=filters(vpc_id=call.inputs["vpcId"], cidr_block=call.inputs["cidrBlock"])
        )["Subnets"]
        return found[0]["SubnetId"] if found else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The subnet."""
        subnet = call.client("ec2").describe_subnets(SubnetIds=[id])["Subnets"][0]
        ipv6 = next(iter(subnet.get("Ipv6CidrBlockAssociationSet") or []), {})
        dns = subnet.get("PrivateDnsNameOptionsOnLaunch") or {}
        return {
            "arn": subnet.get("SubnetArn") or call.arn("ec2", f"subnet/{id}"),
            "assignIpv6AddressOnCreation": bool(subnet.get("AssignIpv6AddressOnCreation")),
            "availabilityZone": subnet["AvailabilityZone"],
            "availabilityZoneId": subnet.get("AvailabilityZoneId", ""),
            "cidrBlock": subnet.get("CidrBlock"),
            "enableDns64": bool(subnet.get("EnableDns64")),
            "enableResourceNameDnsARecordOnLaunch": bool(dns.get("EnableResourceNameDnsARecord")),
            "enableResourceNameDnsAaaaRecordOnLaunch": bool(dns.get("EnableResourceNameDnsAAAARecord")),
            "ipv6CidrBlock": ipv6.get("Ipv6CidrBlock") or None,
            "ipv6CidrBlockAssociationId": ipv6.get("AssociationId", ""),
            "ipv6Native": bool(subnet.get("Ipv6Native")),
            "mapPublicIpOnLaunch": bool(subnet.get("MapPublicIpOnLaunch")),
            "ownerId": subnet.get("OwnerId", ""),
            "privateDnsHostnameTypeOnLaunch": dns.get("HostnameType", "ip-name"),
            "region": call.region,
            "tagsAll": tag_map(subnet.get("Tags")),
            "vpcId": subnet["VpcId"],
        }

    def update(self, call: Call, id: str) -> None:
        """Attributes change in place."""
        if call.changes("ipv6CidrBlock"):
            raise ProviderError(f"{self.token}: the sandbox cannot change ipv6CidrBlock of {id}")
        self._set_attributes(call, id, call.changed & frozenset(self._ATTRIBUTES))

    def _set_attributes(self, call: Call, id: str, names: frozenset[str]) -> None:
        for name in sorted(names):
            argument = {name[0].upper() + name[1:]: {"Value": bool(call.inputs.get(name))}}
            call.client("ec2").modify_subnet_attribute(SubnetId=id, **argument)

    def delete(self, call: Call, id: str) -> None:
        """Delete once its network interfaces are gone."""
        deleted_when_free(call, f"subnet {id}", lambda: call.client("ec2").delete_subnet(SubnetId=id))


def _get_subnets(call: FunctionCall) -> PropertyMap:
    found = call.client("ec2").get_paginator("describe_subnets").paginate(Filters=given_filters(call))
    ids = sorted(subnet["SubnetId"] for page in found for subnet in page["Subnets"])
    return {**call.args, "id": call.region, "ids": ids, "region": call.region}


RESOURCES = (Subnet(),)
FUNCTIONS: Mapping[str, Function] = {
    "aws:ec2/getSubnets:getSubnets": _get_subnets,
}
