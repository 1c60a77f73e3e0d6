"""Tags of services that tag by ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from slipway.sandbox.providers.framework.resource import Call, Resource, tag_pairs


class MapTags(Resource):
    """`tag_resource(resourceArn=, tags={...})`: EKS and CloudWatch Logs."""

    service: ClassVar[str]

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """By the ARN of the outputs."""
        client, arn = call.client(self.service), self.tagged_arn(call, id)
        if remove:
            client.untag_resource(resourceArn=arn, tagKeys=remove)
        if add:
            client.tag_resource(resourceArn=arn, tags=dict(add))

    def tagged_arn(self, call: Call, id: str) -> str:
        """The ARN that carries the tags."""
        return str(call.outputs["arn"])


class ListTags(Resource):
    """`tag_resource(ResourceArn=, Tags=[...])`: most others; the argument's name differs."""

    service: ClassVar[str]
    arn_argument: ClassVar[str] = "ResourceArn"
    tag_operation: ClassVar[str] = "tag_resource"
    untag_operation: ClassVar[str] = "untag_resource"
    many_arns: ClassVar[bool] = False

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """By the ARN of the outputs."""
        client, arn = call.client(self.service), str(call.outputs.get("arn") or id)
        target = {self.arn_argument: [arn] if self.many_arns else arn}
        if remove:
            getattr(client, self.untag_operation)(**target, TagKeys=remove)
        if add:
            getattr(client, self.tag_operation)(**target, Tags=tag_pairs(add))
