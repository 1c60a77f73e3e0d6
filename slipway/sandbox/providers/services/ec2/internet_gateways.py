"""Internet gateways."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.resource import Call, present, tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, deleted_when_free, tag_specifications


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


RESOURCES = (InternetGateway(),)
