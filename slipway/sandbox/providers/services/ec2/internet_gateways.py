"""Internet gateways."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.resource import Call, Lookup
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, filters, tag_specifications


class InternetGateway(Ec2Resource):
    """aws.ec2.InternetGateway"""

    token = "aws:ec2/internetGateway:InternetGateway"
    lookup = Lookup("describe_internet_gateways", "InternetGatewayIds", "InternetGateways")
    deletion = "delete_internet_gateway"
    id_arguments = ("InternetGatewayId",)
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
        wanted = filters(attachment__vpc_id=call.inputs["vpcId"])
        found = call.client("ec2").describe_internet_gateways(Filters=wanted)["InternetGateways"]
        return found[0]["InternetGatewayId"] if found else None

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The gateway and the VPC that it is attached to."""
        attachments = live.get("Attachments") or []
        return {
            "arn": call.arn("ec2", f"internet-gateway/{id}"),
            "tagsAll": tag_map(live.get("Tags")),
            "vpcId": attachments[0]["VpcId"] if attachments else "",
        }

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
        super().delete(call, id)

    def _detach(self, call: Call, id: str) -> None:
        for attachment in (self.live(call, id) or {}).get("Attachments") or []:
            call.client("ec2").detach_internet_gateway(InternetGatewayId=id, VpcId=attachment["VpcId"])
