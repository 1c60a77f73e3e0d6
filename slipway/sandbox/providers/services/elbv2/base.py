"""What the ELBv2 types share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.attributes import attribute_text, parsed
from slipway.sandbox.providers.framework.functions import FunctionCall, the_one
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, unless_missing
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

    def find(self, call: Call) -> str | None:
        """By name."""
        name = call.inputs.get("name")
        return next(iter(self._named(call.client("elbv2"), name)), None) if name else None

    def arn_of(self, call: FunctionCall) -> str:
        """What a function looks for, by ARN or name."""
        if call.args.get("arn"):
            return str(call.args["arn"])
        return the_one(f"{self.token} of this name", self._named(call.client("elbv2"), call.required("name")))

    def _named(self, elb: Any, name: str) -> list[str]:
        found = unless_missing(lambda: getattr(elb, self.lookup.operation)(Names=[name])[self.lookup.member])
        return [item[self.id_arguments[0]] for item in found or ()]


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
