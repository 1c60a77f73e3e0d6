"""Subnets."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function
from slipway.sandbox.providers.framework.resource import Call, Lookup, capital
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import (
    Ec2Resource,
    filters,
    given_filters,
    tag_specifications,
)


class Subnet(Ec2Resource):
    """aws.ec2.Subnet"""

    token = "aws:ec2/subnet:Subnet"
    lookup = Lookup("describe_subnets", "SubnetIds", "Subnets")
    deletion = "delete_subnet"
    id_arguments = ("SubnetId",)
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
        arguments = call.given("vpcId", "cidrBlock", "ipv6CidrBlock", "availabilityZone", "availabilityZoneId")
        made = ec2.create_subnet(**arguments, TagSpecifications=tag_specifications(call, "subnet"))["Subnet"]
        subnet_id = made["SubnetId"]
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

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The subnet."""
        ipv6 = next(iter(live.get("Ipv6CidrBlockAssociationSet") or []), {})
        dns = live.get("PrivateDnsNameOptionsOnLaunch") or {}
        return {
            "arn": live.get("SubnetArn") or call.arn("ec2", f"subnet/{id}"),
            "cidrBlock": live.get("CidrBlock"),
            "enableResourceNameDnsARecordOnLaunch": bool(dns.get("EnableResourceNameDnsARecord")),
            "enableResourceNameDnsAaaaRecordOnLaunch": bool(dns.get("EnableResourceNameDnsAAAARecord")),
            "ipv6CidrBlock": ipv6.get("Ipv6CidrBlock") or None,
            "ipv6CidrBlockAssociationId": ipv6.get("AssociationId", ""),
            "privateDnsHostnameTypeOnLaunch": dns.get("HostnameType", "ip-name"),
            "tagsAll": tag_map(live.get("Tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """Attributes change in place."""
        if call.changes("ipv6CidrBlock"):
            raise ProviderError(f"{self.token}: the sandbox cannot change ipv6CidrBlock of {id}")
        self._set_attributes(call, id, call.changed & frozenset(self._ATTRIBUTES))

    def _set_attributes(self, call: Call, id: str, names: frozenset[str]) -> None:
        for name in sorted(names):
            argument = {capital(name): {"Value": bool(call.inputs.get(name))}}
            call.client("ec2").modify_subnet_attribute(SubnetId=id, **argument)


@function("aws:ec2/getSubnets:getSubnets")
def get_subnets(call: FunctionCall) -> PropertyMap:
    found = call.client("ec2").get_paginator("describe_subnets").paginate(Filters=given_filters(call))
    ids = sorted(subnet["SubnetId"] for page in found for subnet in page["Subnets"])
    return {**call.args, "id": call.region, "ids": ids, "region": call.region}
