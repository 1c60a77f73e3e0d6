"""What the EC2 types share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import error_code, is_not_found
from slipway.sandbox.providers.framework.functions import FunctionCall
from slipway.sandbox.providers.framework.resource import MARKER_TAG, Call, Resource, marker_value, tag_pairs

DELETE_SECONDS = 300  # AWS frees network interfaces of deleted load balancers and pods late


class Ec2Resource(Resource):
    """What all EC2 types share: tags by id, and tags at creation."""

    def find_marked(self, call: Call) -> list[str]:
        """The URN has the type in it, so every id with this marker is of this type."""
        wanted = filters(key=MARKER_TAG, value=marker_value(call.ctx.urn))
        return [tag["ResourceId"] for tag in call.client("ec2").describe_tags(Filters=wanted)["Tags"]]

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """EC2 tags any id the same way."""
        ec2 = call.client("ec2")
        if remove:
            ec2.delete_tags(Resources=[id], Tags=[{"Key": key} for key in remove])
        if add:
            ec2.create_tags(Resources=[id], Tags=tag_pairs(add))


def tag_specifications(call: Call, kind: str) -> list[dict[str, Any]]:
    """Tags for a create call."""
    return [{"ResourceType": kind, "Tags": call.tag_list}]


def filters(**values: str) -> list[dict[str, Any]]:
    """EC2 filters: `filters(vpc_id="vpc-1")`."""
    return [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in values.items()]


def deleted_when_free(call: Call, what: str, delete: Any) -> None:
    """Delete, waiting while something that is going away still depends on it."""

    def attempt() -> bool:
        try:
            delete()
        except Exception as error:
            if is_not_found(error):
                return True
            if error_code(error) == "DependencyViolation":
                return False
            raise
        return True

    call.wait(f"{what} to lose its dependents", attempt, seconds=DELETE_SECONDS, interval_seconds=2)


def given_filters(call: FunctionCall) -> list[dict[str, Any]]:
    """The given filters and tags, as EC2 takes them."""
    entries: list[PropertyMap] = call.args.get("filters") or []
    tags: dict[str, str] = call.args.get("tags") or {}
    given = [{"Name": entry["name"], "Values": entry["values"]} for entry in entries]
    return [*given, *({"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items())]
