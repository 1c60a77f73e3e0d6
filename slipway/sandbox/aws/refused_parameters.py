"""What AWS refuses of any caller's request, and moto takes: two names for one thing, and tags that are AWS's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl

EXCLUSIVE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ec2": (
        ("AllocationId", "PublicIp"),
        ("AssociationId", "PublicIp"),
        ("GroupId", "GroupName"),
        ("LaunchTemplateId", "LaunchTemplateName"),
    ),
}
"""By service: parameters that name the same thing. Of two that are given moto takes one, where the judge could take the other."""
HOLDERS = ("LaunchTemplate", "LaunchTemplateSpecification")
"""Parameters that hold such names."""
RESERVED = "aws:"
TAGS = frozenset({"addtags", "tag", "taglist", "tags", "tagset"})
TAG_KEYS = frozenset({"removetagkeys", "tagkeys"})
KEY_NAMES = frozenset({"key", "tagkey"})


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused."""

    code: str
    """Empty: what the service calls a request that its model does not allow."""
    message: str


def refuse_parameters(service: str, parameters: Mapping[str, object]) -> Refusal | None:
    """The refusal of a request to botocore's `service`; None for others."""
    held = [cast(Mapping[str, object], each) for name in HOLDERS if isinstance(each := parameters.get(name), Mapping)]
    for given in (parameters, *held):
        for one, other in EXCLUSIVE.get(service, ()):
            if given.get(one) is not None and given.get(other) is not None:
                message = f"The parameter {one} cannot be used with the parameter {other}"
                return Refusal("InvalidParameterCombination", message)
    try:
        reserved = next((key for key in tag_keys(parameters) if key.lower().startswith(RESERVED)), "")
    except RecursionError:
        return Refusal("", "the request is nested too deeply")
    if reserved:
        return Refusal("", f"{RESERVED} prefixed tag key names are not allowed for external use: {reserved}")
    return None


def tag_keys(parameters: object) -> Iterator[str]:
    """Keys of all tags that a request sets or removes, wherever they are in it."""
    if isinstance(parameters, list):
        for each in cast(list[object], parameters):
            yield from tag_keys(each)
    elif isinstance(parameters, Mapping):
        for name, value in cast(Mapping[object, object], parameters).items():
            lower = str(name).lower()
            if lower in TAGS | TAG_KEYS:
                yield from _keys(value)
            elif lower == "tagging" and isinstance(value, str):  # a header of S3
                yield from (key for key, _ in parse_qsl(value, keep_blank_values=True))
            yield from tag_keys(value)


def _keys(value: object) -> Iterator[str]:
    """Of tags as services have them: a map, a list of pairs, a list of keys."""
    if isinstance(value, Mapping):
        yield from (str(key) for key in cast(Mapping[object, object], value))
    elif isinstance(value, list):
        for each in cast(list[object], value):
            if isinstance(each, str):
                yield each
            elif isinstance(each, Mapping):
                pair = cast(Mapping[object, object], each)
                yield from (str(key) for name, key in pair.items() if str(name).lower() in KEY_NAMES)
