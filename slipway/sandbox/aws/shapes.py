"""What AWS refuses of a request by its shape: botocore's model of the API, of which moto checks little."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping, Sized
from functools import cache
from numbers import Number
from typing import Any

import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.utils import get_service_model

TYPES: Mapping[str, type[Any]] = {
    "boolean": bool,
    "double": Number,
    "float": Number,
    "integer": int,
    "list": list,
    "long": int,
    "map": dict,
    "string": str,
    "structure": dict,
}
"""By botocore's name of a type. Timestamps and blobs are read by moto's own reader or not at all."""
ALSO_TAKEN: Mapping[str, frozenset[str]] = {"BucketCannedACL": frozenset({"log-delivery-write"})}
"""By shape: what AWS documents and its model lacks. Source: "Canned ACL", Amazon S3 user guide."""
ASCII = {r"\w": "a-zA-Z0-9_", r"\d": "0-9"}
"""What these are in a pattern of AWS, within a class."""
PARTS = regex.compile(r"\\[wd]|\\.|\[(?:\\.|[^\]\\])*\]|\$")
"""What AWS reads otherwise, in a pattern: an escaped character, a class, the end."""
PATIENCE_SECONDS = 0.2
"""For a pattern: what takes longer does not fit."""


class ShapeError(Exception):
    """A part of a request that the API's model does not allow, in AWS's words."""


def check_parameters(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Raise ShapeError for the first part of a request that the model of botocore's `service` does not allow."""
    shape: Shape | None = get_service_model(service).operation_model(operation).input_shape
    if shape:
        try:
            check_shape(shape, parameters)
        except RecursionError as error:
            raise ShapeError("1 validation error detected: the request is nested too deeply") from error


def check_shape(shape: Shape, value: Any, path: str = "") -> None:
    """Raise ShapeError for the first part that the shape does not allow."""
    wanted = TYPES.get(shape.type_name)
    if "jsonvalue" in shape.serialization or wanted is None:
        return
    if not _is_a(wanted, value):
        raise _refused(value, path, f"be of type {shape.type_name}")
    if isinstance(shape, StructureShape):
        _check_members(shape, value, path)
        return
    limits = shape.metadata
    size = _size(value)
    if size is not None and not limits.get("min", size) <= size <= limits.get("max", size):
        raise _refused(value, path, f"be between {limits.get('min', 0)} and {limits.get('max', 'any')}, not {size}")
    if "pattern" in limits and not _fits(limits["pattern"], str(value)):
        raise _refused(value, path, f"satisfy regular expression pattern: {limits['pattern']}")
    if "enum" in limits and value not in limits["enum"] and value not in ALSO_TAKEN.get(shape.name, ()):
        raise _refused(value, path, f"satisfy enum value set: {limits['enum']}")
    if isinstance(shape, ListShape):
        for index, member in enumerate(value, 1):
            check_shape(shape.member, member, f"{path}.{index}.member")
    if isinstance(shape, MapShape):
        for key, member in value.items():
            check_shape(shape.key, key, f"{path}.key")
            check_shape(shape.value, member, f"{path}.{key}")


def _is_a(wanted: type[Any], value: object) -> bool:
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _check_members(shape: StructureShape, value: Mapping[str, Any], path: str) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            raise _refused("null", f"{path}.{name}", "not be null")
    for name, member in shape.members.items():
        if value.get(name) is not None:
            check_shape(member, value[name], f"{path}.{name}")


def _fits(pattern: str, value: str) -> bool:
    """As a whole, which is how AWS reads patterns, anchored or not."""
    compiled = _compiled(pattern)
    try:
        return compiled is None or bool(compiled.fullmatch(value, timeout=PATIENCE_SECONDS))
    except TimeoutError:
        return False


@cache
def _compiled(pattern: str) -> regex.Pattern[str] | None:
    """None: in another dialect."""
    try:
        return regex.compile(PARTS.sub(lambda found: _in_python(found[0]), pattern))
    except regex.error:
        return None


def _in_python(part: str) -> str:
    if part in ASCII:
        return f"[{ASCII[part]}]"
    if part == "$":
        return r"\Z"
    if part.startswith("["):
        for theirs, ours in ASCII.items():
            part = part.replace(theirs, ours)
    return part


def _size(value: Any) -> int | None:
    """What `min` and `max` limit: a number itself, or the length of a text or list."""
    if isinstance(value, int):
        return value
    return len(value) if isinstance(value, Sized) else None


def _refused(value: object, path: str, constraint: str) -> ShapeError:
    return ShapeError(
        f"1 validation error detected: Value '{str(value)[:200]}' at '{path[1:]}' failed to satisfy constraint: "
        f"Member must {constraint}"
    )
