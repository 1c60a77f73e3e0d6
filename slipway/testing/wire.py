"""Property values on Pulumi's wire, as Python values that a test can compare.

Numbers are `int` where they are whole. A secret is `Secret(value)`, a value that a preview cannot know is `UNKNOWN`, an asset or
archive is `Asset(...)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks an object as something else; its value says as what. Source: pulumi/sdk, go/common/resource/properties.go."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature of the wire format
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_TEXTS = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""How an unknown value of each type is written. Source: pulumi/sdk, go/common/resource/plugin/rpc.go."""


class Unknown:
    """A value that only an update can know."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that Pulumi keeps encrypted."""

    value: Any


@dataclass(frozen=True)
class Asset:
    """An asset or archive, by `path`, `text`, `uri` or `assets`."""

    signature: str
    fields: Mapping[str, Any]


def decode(value: struct_pb2.Value) -> Any:
    """The Python value of one protobuf value."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return _object({key: decode(item) for key, item in value.struct_value.fields.items()})
        case "list_value":
            return [decode(item) for item in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return UNKNOWN if value.string_value in UNKNOWN_TEXTS else value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def decode_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The properties of one message."""
    return {key: decode(value) for key, value in struct.fields.items()}


def _object(fields: dict[str, Any]) -> Any:
    signature = fields.pop(SIGNATURE, None)
    if signature is None:
        return fields
    if signature == SECRET:
        return Secret(fields.get("value"))
    if signature == OUTPUT:
        value = fields.get("value", UNKNOWN)
        return Secret(value) if fields.get("secret") else value
    if signature == RESOURCE:
        return fields.get("urn")
    return Asset(signature, fields)


def encode(value: Any) -> struct_pb2.Value:  # noqa: PLR0911 - one return a kind
    """The protobuf value of one Python value."""
    if isinstance(value, Unknown):
        return struct_pb2.Value(string_value=UNKNOWN_TEXT)
    if isinstance(value, Secret):
        return encode({SIGNATURE: SECRET, "value": value.value})
    if isinstance(value, Asset):
        return encode({SIGNATURE: value.signature, **value.fields})
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode_struct(cast("Mapping[str, Any]", value)))
    if isinstance(value, Sequence):
        items = cast("Sequence[Any]", value)
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[encode(item) for item in items]))
    raise TypeError(f"a provider cannot answer with a {type(value).__name__}: {value!r}")


def encode_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The properties of one message."""
    return struct_pb2.Struct(fields={key: encode(value) for key, value in properties.items()})


def reveal(value: Any) -> Any:
    """`value` without the marks of secrets, at any depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [reveal(item) for item in cast("list[Any]", value)]
    return value


def merge(base: Any, over: Any) -> Any:
    """`over` laid over `base`: objects are merged, everything else is replaced."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        below, above = cast("Mapping[str, Any]", base), cast("Mapping[str, Any]", over)
        return {**below, **{key: merge(below.get(key), value) for key, value in above.items()}}
    return over
