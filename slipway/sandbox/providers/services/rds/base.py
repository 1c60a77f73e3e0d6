"""What the RDS types share."""

from __future__ import annotations

from slipway.sandbox.providers.framework.arn_tags import ListTags
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.resource import Call, tag_map


class RdsResource(ListTags):
    """What all RDS types share: tags by ARN."""

    service = "rds"
    arn_argument = "ResourceName"
    tag_operation = "add_tags_to_resource"
    untag_operation = "remove_tags_from_resource"


def live_tags(call: Call, arn: str) -> dict[str, str]:
    """The tags of any RDS resource."""
    return tag_map(call.client("rds").list_tags_for_resource(ResourceName=arn)["TagList"])


def rds_name(call: Call) -> str:
    """The name as RDS keeps it: in lower case."""
    return str(call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"])).lower()
