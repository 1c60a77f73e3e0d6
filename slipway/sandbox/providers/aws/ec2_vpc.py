"""VPCs, subnets and internet gateways."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002 - `id` and `token` are Pulumi's words; a type's tables are constants
from collections.abc import Mapping
from typing import Any

from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.faults import AlreadyExistsError, error_code, is_not_found
from slipway.sandbox.providers.aws.resource import (
    MARKER_TAG,
    Call,
    Resource,
    marker_value,
    present,
    tag_map,
    tag_pairs,
)

DELETE_SECONDS = 300  # AWS frees network interfaces of deleted load balancers and pods late


class Ec2Resource(Resource):
    """What all EC2 types share: tags by id, and tags at creation."""

    def find_marked(self, call: Call) -> list[str]:
        """The URN has the type in it, so every id with this marker is of this type."""
        wanted = filters(key=MARKER_TAG, value=marker_value(call.ctx.urn))
        return [tag["ResourceId"] for tag in call.client("ec2").describe_tags(Filters=wanted)["Tags"]]

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """EC2 tags any id the same way."""
        ec2 = call.client("ec2")
        if remove:
            ec2.delete_tags(Resources=[id], Tags=[{"Key": key} for key in remove])
        if add:
            ec2.create_tags(Resources=[id], Tags=tag_pairs(add))


def tag_specifications(call: Call, kind: str) -> list[dict[str, Any]]:
    """Tags for a create call."""
    return [{"ResourceType": kind, "Tags": call.tag_list}]


def filters(**values: str) -> list[dict[str, Any]]:
    """EC2 filters: `filters(vpc_id="vpc-1")`."""
    return [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in values.items()]


def deleted_when_free(call: Call, what: str, delete: Any) -> None:
    """Delete, waiting while something that is going away still depends on it."""

    def attempt() -> bool:
        try:
            delete()
        except Exception as error:
            if is_not_found(error):
                return True
            if error_code(error) == "DependencyViolation":
                return False
            raise
        return True

    call.wait(f"{what} to lose its dependents", attempt, seconds=DELETE_SECONDS, interval_seconds=2)


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
            "ipv6Native",
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


class InternetGateway(Ec2Resource):
    """aws.ec2.InternetGateway"""

    token = "aws:ec2/internetGateway:InternetGateway"
    conflict_codes = frozenset({"Resource.AlreadyAssociated"})  # from AWS, when two runs race

    def create(self, call: Call) -> str:
        """Create and attach; a VPC takes one gateway."""
        ec2 = call.client("ec2")
        if call.inputs.get("vpcId") and (existing := self.find(call)):
            raise AlreadyExistsError(f"{self.token}: {call.inputs['vpcId']} already has {existing} attached")
        gateway_id = ec2.create_internet_gateway(TagSpecifications=tag_specifications(call, "internet-gateway"))[
            "InternetGateway"
        ]["InternetGatewayId"]
        if call.inputs.get("vpcId"):
            try:
                ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=call.inputs["vpcId"])
            except Exception:
                ec2.delete_internet_gateway(InternetGatewayId=gateway_id)
                raise
        return gateway_id

    def find(self, call: Call) -> str | None:
        """The gateway that the VPC has already."""
        found = call.client("ec2").describe_internet_gateways(
            Filters=[{"Name": "attachment.vpc-id", "Values": [call.inputs["vpcId"]]}]
        )["InternetGateways"]
        return found[0]["InternetGatewayId"] if found else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The gateway and the VPC that it is attached to."""
        gateway = call.client("ec2").describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"][0]
        attachments = gateway.get("Attachments") or []
        return present(
            arn=call.arn("ec2", f"internet-gateway/{id}"),
            ownerId=gateway.get("OwnerId", ""),
            region=call.region,
            tagsAll=tag_map(gateway.get("Tags")),
            vpcId=attachments[0]["VpcId"] if attachments else "",
        )

    def update(self, call: Call, id: str) -> None:
        """Move it to another VPC."""
        if not call.changes("vpcId"):
            return
        ec2 = call.client("ec2")
        self._detach(call, id)
        if call.inputs.get("vpcId"):
            ec2.attach_internet_gateway(InternetGatewayId=id, VpcId=call.inputs["vpcId"])

    def delete(self, call: Call, id: str) -> None:
        """Detach and delete."""
        self._detach(call, id)
        deleted_when_free(
            call, f"internet gateway {id}", lambda: call.client("ec2").delete_internet_gateway(InternetGatewayId=id)
        )

    def _detach(self, call: Call, id: str) -> None:
        ec2 = call.client("ec2")
        for gateway in ec2.describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"]:
            for attachment in gateway.get("Attachments") or []:
                ec2.detach_internet_gateway(InternetGatewayId=id, VpcId=attachment["VpcId"])


RESOURCES = (Vpc(), Subnet(), InternetGateway())
