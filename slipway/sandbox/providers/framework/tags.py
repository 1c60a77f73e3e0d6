"""Tags, as services take and give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.sandbox.providers.framework.wire import operation_model

MARKER_TAG = "slipway:urn"
"""Names the URN that made a resource, on the resource itself. Kept out of `tags` and `tagsAll`; see `adoption`."""


@dataclass(frozen=True)
class Tagging:
    """The operations that change the tags of what exists; the shape of the tags is in the service's model."""

    tag: str = "tag_resource"
    untag: str = "untag_resource"
    target: str = "ResourceArn"
    """The argument that names the resource; a plural takes a list."""
    by: str = "arn"
    """The output that names the resource there; "": its id does."""

    def write(self, client: Any, name: str, add: Mapping[str, str], remove: list[str]) -> None:
        """Set some tags, and remove others."""
        target = {self.target: listed(self.target, name)}
        if remove:
            getattr(client, self.untag)(**target, **_argument(client, self.untag, dict.fromkeys(remove)))
        if add:
            getattr(client, self.tag)(**target, **_argument(client, self.tag, add))


def _argument(client: Any, operation: str, tags: Mapping[str, str | None]) -> dict[str, Any]:
    """Tags, or their keys alone, as the service's model has them: a map, a list of keys, or one of keys and values."""
    members: Mapping[str, Any] = operation_model(client, operation).input_shape.members
    argument = next(each for each in members if each.lower() in {"tags", "tagkeys"})
    shape = members[argument]
    if shape.type_name == "map":
        return {argument: dict(tags)}
    if shape.member.type_name == "string":
        return {argument: list(tags)}
    key, value = ("TagKey", "TagValue") if "TagKey" in shape.member.members else ("Key", "Value")
    return {argument: [{key: name} if text is None else {key: name, value: text} for name, text in tags.items()]}


def listed(argument: str, id: str) -> str | list[str]:
    """What a call takes for an id: a list of one where the argument is a plural."""
    return [id] if argument.endswith("s") else id


def marker_value(urn: str) -> str:
    """A tag value holds 256 characters of a smaller alphabet than a URN; `$` (nested types) is not among them."""
    return urn.replace("$", "+")[-256:]


def tag_map(tags: Iterable[Mapping[str, Any]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """AWS's list of tags as a map."""
    return {str(tag[key]): str(tag.get(value, "")) for tag in tags or ()}


def tag_pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A map of tags as AWS's list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
