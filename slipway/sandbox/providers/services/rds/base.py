"""What the RDS types share."""

from __future__ import annotations

from slipway.sandbox.providers.framework.resource import Call, Resource
from slipway.sandbox.providers.framework.tags import Tagging, tag_map


class RdsResource(Resource):
    """What all RDS types share: tags by ARN, and names in lower case."""

    service = "rds"
    tagging = Tagging("add_tags_to_resource", "remove_tags_from_resource", "ResourceName")

    def new_name(self, call: Call) -> str:
        """The name as RDS keeps it."""
        return super().new_name(call).lower()

    def find(self, call: Call) -> str | None:
        """By name."""
        return self.new_name(call) if self.auto_name and call.inputs.get(self.auto_name.property) else None


def live_tags(call: Call, arn: str) -> dict[str, str]:
    """The tags of any RDS resource."""
    return tag_map(call.client("rds").list_tags_for_resource(ResourceName=arn)["TagList"])
