"""What the ELBv2 types share."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.attributes import attribute_text, parsed
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource
from slipway.sandbox.providers.framework.tags import Tagging, tag_map

_NAME_LENGTH = 32


class ElbResource(Resource):
    """What all ELB types share: the ARN is the id, and tags are set by ARN."""

    service = "elbv2"
    tagging = Tagging("add_tags", "remove_tags", "ResourceArns", by="")
    auto_name = AutoName(max_length=_NAME_LENGTH)

    def new_name(self, call: Call) -> str:
        """ELB takes 32 characters."""
        return super().new_name(call)[:_NAME_LENGTH]


def live_tags(call: Call, arn: str) -> dict[str, str]:
    """The tags of any ELB resource."""
    return tag_map(call.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def attribute_list(inputs: PropertyMap, attributes: Mapping[str, str], names: frozenset[str]) -> list[dict[str, str]]:
    """Key and value of each attribute in `names` that was given."""
    return [
        {"Key": key, "Value": attribute_text(inputs[name])}
        for name, key in attributes.items()
        if name in names and inputs.get(name) is not None
    ]


def attribute_values(live: list[dict[str, str]], attributes: Mapping[str, str]) -> PropertyMap:
    """Attributes as properties; what the endpoint does not tell is left out, and stays as given."""
    found = {entry["Key"]: entry["Value"] for entry in live}
    return {name: parsed(found[key]) for name, key in attributes.items() if key in found}
