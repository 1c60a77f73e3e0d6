"""What the EC2 types share."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall
from slipway.sandbox.providers.framework.resource import Call, Resource
from slipway.sandbox.providers.framework.tags import MARKER_TAG, Tagging, marker_value


class Ec2Resource(Resource):
    """What all EC2 types share: tags by id, and the wait for what still depends on it before it goes."""

    service = "ec2"
    tagging = Tagging("create_tags", "delete_tags", "Resources", by="")
    busy_codes = frozenset({"DependencyViolation"})
    delete_seconds = 300  # AWS frees network interfaces of deleted load balancers and pods late

    def find_marked(self, call: Call) -> list[str]:
        """The URN has the type in it, so every id with this marker is of this type."""
        wanted = filters(key=MARKER_TAG, value=marker_value(call.ctx.urn))
        return [tag["ResourceId"] for tag in call.client("ec2").describe_tags(Filters=wanted)["Tags"]]


def tag_specifications(call: Call, kind: str) -> list[dict[str, Any]]:
    """Tags for a create call."""
    return [{"ResourceType": kind, "Tags": call.tag_list}]


def filters(**values: str) -> list[dict[str, Any]]:
    """EC2 filters: `filters(vpc_id="vpc-1", association__main="true")`."""
    names = {name: name.replace("__", ".").replace("_", "-") for name in values}
    return [{"Name": names[name], "Values": [value]} for name, value in values.items()]


def given_filters(call: FunctionCall) -> list[dict[str, Any]]:
    """The given filters and tags, as EC2 takes them."""
    entries: list[PropertyMap] = call.args.get("filters") or []
    tags: dict[str, str] = call.args.get("tags") or {}
    given = [{"Name": entry["name"], "Values": entry["values"]} for entry in entries]
    return [*given, *({"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items())]
