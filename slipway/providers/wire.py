"""Property maps on the wire: `google.protobuf.Struct` to and from `values`.

The engine sends a provider what it says that it accepts: unknowns, secrets, assets and archives. Programs send output values, too.
Signatures and sentinels are those of the Pulumi SDKs (`sdk/go/common/resource/properties.go`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

from slipway.providers.values import (
    UNKNOWN,
    Archive,
    Asset,
    PropertyMap,
    Secret,
    Value,
    unwrap_secrets,
)

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a wire format constant, no credential
ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_SENTINELS = frozenset(
    {
        UNKNOWN_SENTINEL,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_LARGEST_EXACT_INTEGER = 2**53


class WireError(ValueError):
    """A message that cannot be understood, or a value that has no form on the wire."""


def decode(struct: struct_pb2.Struct, *, keep_secrets: bool = True) -> PropertyMap:
    """The Struct as a property map. Raises WireError for a marker that is not known."""
    properties = {key: _decode(message) for key, message in struct.fields.items()}
    return properties if keep_secrets else unwrap_secrets(properties)


def _decode(message: struct_pb2.Value) -> Value:
    match message.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if message.string_value in UNKNOWN_SENTINELS else message.string_value
        case "number_value":
            # Numbers are doubles on the wire: 1.0 and 1 must be the same text in the state.
            number = message.number_value
            return int(number) if number.is_integer() and abs(number) <= _LARGEST_EXACT_INTEGER else number
        case "bool_value":
            return message.bool_value
        case "list_value":
            return [_decode(item) for item in message.list_value.values]
        case "struct_value":
            return _decode_object({key: _decode(item) for key, item in message.struct_value.fields.items()})
        case _:
            return None


def _decode_object(fields: PropertyMap) -> Value:
    match fields.pop(SIGNATURE_KEY, None):
        case None:
            return fields
        case str() as signature if signature == SECRET_SIGNATURE:
            return Secret(fields.get("value"))
        case str() as signature if signature == OUTPUT_SIGNATURE:
            value = fields.get("value", UNKNOWN)
            return Secret(value) if fields.get("secret") else value
        case str() as signature if signature == ASSET_SIGNATURE:
            return Asset(**{key: value for key, value in fields.items() if key in Asset.__slots__})
        case str() as signature if signature == ARCHIVE_SIGNATURE:
            return Archive(**{key: value for key, value in fields.items() if key in Archive.__slots__})
        case str() as signature if signature == RESOURCE_SIGNATURE:
            return fields["urn"] if fields.get("id") in (None, "") else fields["id"]
        case signature:
            raise WireError(f"unrecognized signature {signature!r} in a property map")


def encode(properties: Mapping[str, Value]) -> struct_pb2.Struct:
    """The property map as a Struct. Raises WireError for a value that is none."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode(value, struct.fields[key])
    return struct


def _encode(value: Value, message: struct_pb2.Value) -> None:
    match value:
        case None:
            message.null_value = struct_pb2.NULL_VALUE
        case bool():
            message.bool_value = value
        case str():
            message.string_value = value
        case int() | float():
            message.number_value = value
        case Mapping():
            message.struct_value.SetInParent()
            for key, item in value.items():
                _encode(item, message.struct_value.fields[key])
        case list() | tuple():
            message.list_value.SetInParent()
            for item in value:
                _encode(item, message.list_value.values.add())
        case _:
            _encode(_marker(value), message)


def _marker(value: Value) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_SENTINEL
    if isinstance(value, Secret):
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.value}
    if isinstance(value, (Asset, Archive)):
        signature = ASSET_SIGNATURE if isinstance(value, Asset) else ARCHIVE_SIGNATURE
        return {SIGNATURE_KEY: signature, **value.fields}
    raise WireError(f"a {type(value).__name__} is no property value")
