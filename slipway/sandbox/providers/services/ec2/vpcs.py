"""VPCs."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, looked_up, the_one
from slipway.sandbox.providers.framework.resource import Call, Lookup, capital
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import (
    Ec2Resource,
    filters,
    given_filters,
    tag_specifications,
)


class Vpc(Ec2Resource):
    """aws.ec2.Vpc"""

    token = "aws:ec2/vpc:Vpc"
    lookup = Lookup("describe_vpcs", "VpcIds", "Vpcs")
    deletion = "delete_vpc"
    id_arguments = ("VpcId",)
    force_new = frozenset({"cidrBlock"})
    defaults = {"enableDnsSupport": True, "instanceTenancy": "default"}
    unsupported = frozenset(
        {
            "ipv4IpamPoolId",
            "ipv4NetmaskLength",
            "ipv6CidrBlock",
            "ipv6CidrBlockNetworkBorderGroup",
            "ipv6IpamPoolId",
            "ipv6NetmaskLength",
        }
    )

    def create(self, call: Call) -> str:
        """Create and set the DNS attributes, which CreateVpc does not take."""
        arguments = call.given(
            "cidrBlock", "instanceTenancy", AmazonProvidedIpv6CidrBlock="assignGeneratedIpv6CidrBlock"
        )
        tags = tag_specifications(call, "vpc")
        vpc_id = str(call.client("ec2").create_vpc(**arguments, TagSpecifications=tags)["Vpc"]["VpcId"])
        already = {"enableDnsSupport"} if call.inputs.get("enableDnsSupport") else set[str]()
        self._set_attributes(call, vpc_id, frozenset(call.inputs) - already)
        return vpc_id

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The VPC, its attributes, and what AWS made with it."""
        ec2 = call.client("ec2")

        def attribute(name: str) -> bool:
            answer = ec2.describe_vpc_attribute(VpcId=id, Attribute=name)
            return bool(answer.get(capital(name), {}).get("Value"))

        groups = ec2.describe_security_groups(Filters=filters(vpc_id=id, group_name="default"))["SecurityGroups"]
        tables = ec2.describe_route_tables(Filters=filters(vpc_id=id, association__main="true"))["RouteTables"]
        acls = ec2.describe_network_acls(Filters=filters(vpc_id=id, default="true"))["NetworkAcls"]
        ipv6 = next(iter(live.get("Ipv6CidrBlockAssociationSet") or []), {})
        table_id = tables[0]["RouteTableId"] if tables else ""
        return {
            "arn": call.arn("ec2", f"vpc/{id}"),
            "assignGeneratedIpv6CidrBlock": bool(ipv6),
            "defaultNetworkAclId": acls[0]["NetworkAclId"] if acls else "",
            "defaultRouteTableId": table_id,
            "defaultSecurityGroupId": groups[0]["GroupId"] if groups else "",
            "enableDnsHostnames": attribute("enableDnsHostnames"),
            "enableDnsSupport": attribute("enableDnsSupport"),
            "enableNetworkAddressUsageMetrics": attribute("enableNetworkAddressUsageMetrics"),
            "ipv6AssociationId": ipv6.get("AssociationId", ""),
            "ipv6CidrBlock": ipv6.get("Ipv6CidrBlock", ""),
            "ipv6CidrBlockNetworkBorderGroup": ipv6.get("NetworkBorderGroup", ""),
            "mainRouteTableId": table_id,
            "ownerId": live.get("OwnerId") or call.session.account_id,
            "tagsAll": tag_map(live.get("Tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """Attributes and tenancy."""
        if call.changes("assignGeneratedIpv6CidrBlock"):
            raise ProviderError(f"{self.token}: the sandbox cannot change assignGeneratedIpv6CidrBlock of {id}")
        self._set_attributes(call, id, call.changed)
        if call.changes("instanceTenancy"):
            call.client("ec2").modify_vpc_tenancy(VpcId=id, InstanceTenancy=call.inputs["instanceTenancy"])

    def _set_attributes(self, call: Call, id: str, names: frozenset[str]) -> None:
        for name in ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics"):
            if name in names:
                argument = {capital(name): {"Value": bool(call.inputs.get(name))}}
                call.client("ec2").modify_vpc_attribute(VpcId=id, **argument)


def _vpc_id(call: FunctionCall) -> str:
    args = call.args
    filters = given_filters(call)
    for name, key in {"cidrBlock": "cidr", "dhcpOptionsId": "dhcp-options-id", "state": "state"}.items():
        if args.get(name):
            filters.append({"Name": key, "Values": [args[name]]})
    if args.get("default"):
        filters.append({"Name": "is-default", "Values": ["true"]})
    which = {"VpcIds": [args["id"]]} if args.get("id") else {}
    return the_one(
        "EC2 VPC", [vpc["VpcId"] for vpc in call.client("ec2").describe_vpcs(Filters=filters, **which)["Vpcs"]]
    )


get_vpc = looked_up("aws:ec2/getVpc:getVpc", Vpc(), _vpc_id)
