"""VPCs."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import Function, FunctionCall, looked_up, the_one
from slipway.sandbox.providers.framework.resource import Call, tag_map
from slipway.sandbox.providers.services.ec2.base import (
    Ec2Resource,
    deleted_when_free,
    filters,
    given_filters,
    tag_specifications,
)


class Vpc(Ec2Resource):
    """aws.ec2.Vpc"""

    token = "aws:ec2/vpc:Vpc"
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
        ec2 = call.client("ec2")
        vpc = ec2.create_vpc(
            **call.given(
                CidrBlock="cidrBlock",
                InstanceTenancy="instanceTenancy",
                AmazonProvidedIpv6CidrBlock="assignGeneratedIpv6CidrBlock",
            ),
            TagSpecifications=tag_specifications(call, "vpc"),
        )["Vpc"]
        self._set_attributes(
            call,
            vpc["VpcId"],
            frozenset(call.inputs) - {"enableDnsSupport"}
            if call.inputs.get("enableDnsSupport")
            else frozenset(call.inputs),
        )
        return vpc["VpcId"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The VPC, its attributes, and what AWS made with it."""
        ec2 = call.client("ec2")
        vpc = ec2.describe_vpcs(VpcIds=[id])["Vpcs"][0]

        def attribute(name: str) -> bool:
            answer = ec2.describe_vpc_attribute(VpcId=id, Attribute=name)
            return bool(answer.get(name[0].upper() + name[1:], {}).get("Value"))

        groups = ec2.describe_security_groups(Filters=filters(vpc_id=id, group_name="default"))["SecurityGroups"]
        tables = ec2.describe_route_tables(
            Filters=[*filters(vpc_id=id), {"Name": "association.main", "Values": ["true"]}]
        )["RouteTables"]
        acls = ec2.describe_network_acls(Filters=[*filters(vpc_id=id), {"Name": "default", "Values": ["true"]}])[
            "NetworkAcls"
        ]
        ipv6 = next(iter(vpc.get("Ipv6CidrBlockAssociationSet") or []), {})
        table_id = tables[0]["RouteTableId"] if tables else ""
        return {
            "arn": call.arn("ec2", f"vpc/{id}"),
            "assignGeneratedIpv6CidrBlock": bool(ipv6),
            "cidrBlock": vpc["CidrBlock"],
            "defaultNetworkAclId": acls[0]["NetworkAclId"] if acls else "",
            "defaultRouteTableId": table_id,
            "defaultSecurityGroupId": groups[0]["GroupId"] if groups else "",
            "dhcpOptionsId": vpc.get("DhcpOptionsId", ""),
            "enableDnsHostnames": attribute("enableDnsHostnames"),
            "enableDnsSupport": attribute("enableDnsSupport"),
            "enableNetworkAddressUsageMetrics": attribute("enableNetworkAddressUsageMetrics"),
            "instanceTenancy": vpc.get("InstanceTenancy", "default"),
            "ipv6AssociationId": ipv6.get("AssociationId", ""),
            "ipv6CidrBlock": ipv6.get("Ipv6CidrBlock", ""),
            "ipv6CidrBlockNetworkBorderGroup": ipv6.get("NetworkBorderGroup", ""),
            "mainRouteTableId": table_id,
            "ownerId": vpc.get("OwnerId") or call.session.account_id,
            "region": call.region,
            "tagsAll": tag_map(vpc.get("Tags")),
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
                argument = {name[0].upper() + name[1:]: {"Value": bool(call.inputs.get(name))}}
                call.client("ec2").modify_vpc_attribute(VpcId=id, **argument)

    def delete(self, call: Call, id: str) -> None:
        """Delete once nothing depends on it."""
        deleted_when_free(call, f"VPC {id}", lambda: call.client("ec2").delete_vpc(VpcId=id))


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


RESOURCES = (Vpc(),)
FUNCTIONS: Mapping[str, Function] = {
    "aws:ec2/getVpc:getVpc": looked_up(Vpc(), _vpc_id),
}
