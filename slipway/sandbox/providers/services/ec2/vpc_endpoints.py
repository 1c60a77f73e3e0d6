"""Gateway endpoints of a VPC."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Lookup
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, tag_specifications


class VpcEndpoint(Ec2Resource):
    """aws.ec2.VpcEndpoint"""

    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    lookup = Lookup("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints")
    deletion = "delete_vpc_endpoints"
    id_arguments = ("VpcEndpointIds",)
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
        arguments = call.given("serviceName", "vpcEndpointType", "vpcId", "routeTableIds", PolicyDocument="policy")
        tags = tag_specifications(call, "vpc-endpoint")
        made = call.client("ec2").create_vpc_endpoint(**arguments, TagSpecifications=tags)
        return made["VpcEndpoint"]["VpcEndpointId"]

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap | None:
        """The endpoint; deleted ones are shown by AWS for a while."""
        if str(live.get("State")).lower() in {"deleted", "deleting"}:
            return None
        return {
            "arn": call.arn("ec2", f"vpc-endpoint/{id}"),
            "cidrBlocks": [],
            "policy": live.get("PolicyDocument"),
            "tagsAll": tag_map(live.get("Tags")),
        }

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
