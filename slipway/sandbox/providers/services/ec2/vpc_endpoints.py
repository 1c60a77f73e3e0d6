"""Gateway endpoints of a VPC."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, present, tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, tag_specifications


class VpcEndpoint(Ec2Resource):
    """aws.ec2.VpcEndpoint"""

    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    force_new = frozenset({"serviceName", "vpcEndpointType", "vpcId"})
    defaults = {"vpcEndpointType": "Gateway"}
    enums = {"vpcEndpointType": ("Gateway",)}
    json_properties = frozenset({"policy"})
    unsupported = frozenset(
        {
            "autoAccept",
            "dnsOptions",
            "ipAddressType",
            "privateDnsEnabled",
            "resourceConfigurationArn",
            "securityGroupIds",
            "serviceNetworkArn",
            "serviceRegion",
            "subnetConfigurations",
            "subnetIds",
        }
    )

    def create(self, call: Call) -> str:
        """Create."""
        arguments = call.given(
            ServiceName="serviceName",
            VpcEndpointType="vpcEndpointType",
            VpcId="vpcId",
            RouteTableIds="routeTableIds",
            PolicyDocument="policy",
        )
        tags = tag_specifications(call, "vpc-endpoint")
        return call.client("ec2").create_vpc_endpoint(**arguments, TagSpecifications=tags)["VpcEndpoint"][
            "VpcEndpointId"
        ]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The endpoint."""
        found = call.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"]
        if not found or str(found[0].get("State")).lower() in {"deleted", "deleting"}:
            return None
        endpoint = found[0]
        return present(
            arn=call.arn("ec2", f"vpc-endpoint/{id}"),
            cidrBlocks=[],
            networkInterfaceIds=[],
            ownerId=endpoint.get("OwnerId") or call.session.account_id,
            policy=endpoint.get("PolicyDocument"),
            region=call.region,
            requesterManaged=bool(endpoint.get("RequesterManaged")),
            routeTableIds=endpoint.get("RouteTableIds") or [],
            serviceName=endpoint["ServiceName"],
            state=endpoint.get("State", "available"),
            tagsAll=tag_map(endpoint.get("Tags")),
            vpcEndpointType=endpoint.get("VpcEndpointType", "Gateway"),
            vpcId=endpoint["VpcId"],
        )

    def update(self, call: Call, id: str) -> None:
        """Route tables and policy."""
        arguments: dict[str, Any] = {}
        if call.changes("routeTableIds"):
            old, new = ({*(inputs.get("routeTableIds") or ())} for inputs in (call.old_inputs, call.inputs))
            arguments = {"AddRouteTableIds": sorted(new - old), "RemoveRouteTableIds": sorted(old - new)}
        if call.changes("policy"):
            arguments |= call.given(PolicyDocument="policy") or {"ResetPolicy": True}
        if arguments := {name: value for name, value in arguments.items() if value}:
            call.client("ec2").modify_vpc_endpoint(VpcEndpointId=id, **arguments)

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        call.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[id])


RESOURCES = (VpcEndpoint(),)
