"""Property maps on the wire: `google.protobuf.Struct` to and from the engine's values.

The options are those of Pulumi's own `MarshalOptions` (`sdk/go/common/resource/plugin/rpc.go`), for both directions:

| option | False means |
|---|---|
| `keep_unknowns` | an unknown value is left out |
| `keep_secrets` | a secret becomes its plain value |
| `keep_resources` | a reference becomes the id (custom) or the URN (component) |
| `keep_output_values` | an output value becomes a secret, an unknown or the plain value |
| `skip_nulls` (False by default) | top-level and nested object keys whose value is null are kept |

Numbers are doubles on the wire: an integral one decodes to `int`, so that 1.0 and 1 are the same text in the state.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf import struct_pb2

from slipway.engine.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    OUTPUT_SIGNATURE,
    RESOURCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_SENTINEL,
    UNKNOWN_SENTINELS,
    Archive,
    Asset,
    OutputValue,
    PropertyMap,
    ResourceRef,
    Secret,
    Value,
)

BYTE_STRING_SIGNATURE = "803fd3297a5875dc03ca845dda5d2a98"
_LARGEST_EXACT_INTEGER = 2**53


class WireError(ValueError):
    """A message that cannot be understood, or a value the receiver cannot take."""


class UnknownNotAllowedError(WireError):
    """An unknown value where only known ones are allowed: a provider call or answer of a real run."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the other side understands; see the module's table."""

    keep_unknowns: bool = False
    reject_unknowns: bool = False
    """True: an unknown value raises UnknownNotAllowedError. Stronger than `keep_unknowns`."""
    keep_secrets: bool = False
    keep_resources: bool = False
    keep_output_values: bool = False
    skip_nulls: bool = False
    elide_assets: bool = False
    """True: of an asset or archive only the hash is sent (old inputs and outputs, whose files may be gone)."""
    skip_internal_keys: bool = False
    """True: top-level keys that start with `__` are left out."""


KEEP_ALL = Options(keep_unknowns=True, keep_secrets=True, keep_resources=True, keep_output_values=True)


def encode(properties: Mapping[str, Value], options: Options = KEEP_ALL) -> struct_pb2.Struct:
    """The property map as a Struct. Raises WireError for a value the options forbid."""
    struct = struct_pb2.Struct()
    _encode_object(properties, options, struct, top=True)
    return struct


def decode(struct: struct_pb2.Struct, options: Options = KEEP_ALL) -> PropertyMap:
    """The Struct as a property map. Raises WireError for a malformed marker."""
    return _decode_fields(struct, options, top=True)


def encode_value(value: Value, options: Options = KEEP_ALL) -> struct_pb2.Value:
    """One value; an unknown that is not kept becomes null."""
    message = struct_pb2.Value()
    if not _encode_into(value, options, message):
        message.null_value = struct_pb2.NULL_VALUE
    return message


def decode_value(message: struct_pb2.Value, options: Options = KEEP_ALL) -> Value:
    """One value; an unknown that is not kept becomes None."""
    value = _decode(message, options)
    return None if value is _ABSENT else value


def encode_fields(value: Value) -> dict[str, Value] | None:
    """The object an asset or archive is written as, on the wire and in the state alike; None for anything else."""
    if isinstance(value, Asset):
        return _encode_asset(value)
    if isinstance(value, Archive):
        return _encode_archive(value)
    return None


def decode_asset(fields: Mapping[str, Value]) -> Asset:
    """An asset from its object form."""
    return Asset(text=fields.get("text"), path=fields.get("path"), uri=fields.get("uri"), hash=fields.get("hash", ""))


def decode_archive(fields: Mapping[str, Value]) -> Archive:
    """An archive from its object form; nested assets may be decoded already."""
    assets = fields.get("assets")
    return Archive(
        assets=None if assets is None else {key: _decode_archive_item(item) for key, item in assets.items()},
        path=fields.get("path"),
        uri=fields.get("uri"),
        hash=fields.get("hash", ""),
    )


def normalize_number(number: float) -> int | float:
    """1.0 as 1: integral doubles become `int` as far as doubles count exactly, so that no text says `1.0`."""
    if isinstance(number, float) and number.is_integer() and abs(number) <= _LARGEST_EXACT_INTEGER:
        return int(number)
    return number


def _decode_archive_item(item: Value) -> Asset | Archive:
    if isinstance(item, (Asset, Archive)):
        return item
    if isinstance(item, dict):
        fields = cast(dict[str, Any], item)
        if fields.get(SIGNATURE_KEY) == ARCHIVE_SIGNATURE:
            return decode_archive(fields)
        if fields.get(SIGNATURE_KEY) == ASSET_SIGNATURE:
            return decode_asset(fields)
    raise WireError("malformed archive: an entry of `assets` is neither an asset nor an archive")


def _encode_asset(asset: Asset) -> dict[str, Value]:
    # Text "" is a legal content; path and uri "" are not, and Pulumi omits all empty ones but the last kind left.
    fields: dict[str, Value] = {SIGNATURE_KEY: ASSET_SIGNATURE, "hash": asset.hash or None, "text": asset.text}
    fields |= {"path": asset.path or None, "uri": asset.uri or None}
    return {key: value for key, value in fields.items() if value is not None}


def _encode_archive(archive: Archive) -> dict[str, Value]:
    assets = None if archive.assets is None else {key: encode_fields(item) for key, item in archive.assets.items()}
    fields: dict[str, Value] = {SIGNATURE_KEY: ARCHIVE_SIGNATURE, "hash": archive.hash or None, "assets": assets}
    fields |= {"path": archive.path or None, "uri": archive.uri or None}
    return {key: value for key, value in fields.items() if value is not None}


# --- encoding ---------------------------------------------------------------------------------------------------------


def _encode_object(
    properties: Mapping[str, Value], options: Options, struct: struct_pb2.Struct, *, top: bool = False
) -> None:
    fields = struct.fields
    for key, value in properties.items():
        if (value is None and options.skip_nulls) or (top and options.skip_internal_keys and key.startswith("__")):
            continue
        if not _encode_into(value, options, fields[key]):
            del fields[key]


def _encode_into(value: Value, options: Options, message: struct_pb2.Value) -> bool:
    """Write `value` into `message`; False: there is nothing to write (an unknown that is not kept)."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is str:
        message.string_value = value
    elif kind is bool:
        message.bool_value = value
    elif kind is int or kind is float:
        message.number_value = value
    elif value is None:
        message.null_value = struct_pb2.NULL_VALUE
    elif kind is dict:
        message.struct_value.SetInParent()
        _encode_object(value, options, message.struct_value)
    elif kind is list or kind is tuple:
        _encode_list(value, options, message)
    else:
        return _encode_marker(value, options, message)
    return True


def _encode_list(items: Iterable[Value], options: Options, message: struct_pb2.Value) -> None:
    message.list_value.SetInParent()
    values = message.list_value.values
    for item in items:
        if not _encode_into(item, options, values.add()):
            del values[-1]


def _encode_marker(value: Value, options: Options, message: struct_pb2.Value) -> bool:  # noqa: PLR0911 - one per marker
    if value is UNKNOWN:
        if options.reject_unknowns:
            raise UnknownNotAllowedError("an unknown value in a real run")
        message.string_value = UNKNOWN_SENTINEL
        return options.keep_unknowns
    if isinstance(value, Secret):
        if not options.keep_secrets:
            return _encode_into(value.value, options, message)
        return _encode_into({SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.value}, options, message)
    if isinstance(value, OutputValue):
        return _encode_output(value, options, message)
    if isinstance(value, ResourceRef):
        return _encode_reference(value, options, message)
    if options.elide_assets and isinstance(value, (Asset, Archive)):
        value = type(value)(hash=value.hash)
    fields = encode_fields(value)
    if fields is not None:
        return _encode_into(fields, options, message)
    if isinstance(value, Mapping):
        return _encode_into(dict(value), options, message)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, bytes):
        encoded = base64.b64encode(value).decode()
        return _encode_into({SIGNATURE_KEY: BYTE_STRING_SIGNATURE, "value": encoded}, options, message)
    if isinstance(value, (str, int, float)):  # subclasses: enum members, YAML scalars
        base = str if isinstance(value, str) else int if isinstance(value, int) else float
        return _encode_into(base(value), options, message)
    raise WireError(f"a {type(value).__name__} is no property value")


def _encode_output(output: OutputValue, options: Options, message: struct_pb2.Value) -> bool:
    if not options.keep_output_values:
        return _encode_into(Secret(output.value) if output.secret else output.value, options, message)
    fields: dict[str, Value] = {SIGNATURE_KEY: OUTPUT_SIGNATURE}
    if output.value is not UNKNOWN:
        fields["value"] = output.value
    if output.secret:
        fields["secret"] = True
    if output.dependencies:
        fields["dependencies"] = list(output.dependencies)
    return _encode_into(fields, options, message)


def _encode_reference(reference: ResourceRef, options: Options, message: struct_pb2.Value) -> bool:
    unknown_id = reference.id is UNKNOWN or reference.id == ""
    if not options.keep_resources:
        plain = reference.urn if reference.id is None else UNKNOWN if unknown_id else reference.id
        return _encode_into(plain, options, message)
    fields: dict[str, Value] = {SIGNATURE_KEY: RESOURCE_SIGNATURE, "urn": reference.urn}
    if reference.id is not None:
        fields["id"] = "" if unknown_id else reference.id
    if reference.package_version:
        fields["packageVersion"] = reference.package_version
    return _encode_into(fields, options, message)


# --- decoding ---------------------------------------------------------------------------------------------------------

_ABSENT = object()
"""What an unknown decodes to when it is not kept: the key is left out."""


def _decode_fields(struct: struct_pb2.Struct, options: Options, *, top: bool = False) -> PropertyMap:
    result: PropertyMap = {}
    for key, message in struct.fields.items():
        if top and options.skip_internal_keys and key.startswith("__"):
            continue
        value = _decode(message, options)
        if value is not _ABSENT and not (value is None and options.skip_nulls):
            result[key] = value
    return result


def _decode(message: struct_pb2.Value, options: Options) -> Value:
    kind = message.WhichOneof("kind")
    if kind == "string_value":
        text = message.string_value
        return _decode_unknown(options) if text in UNKNOWN_SENTINELS else text
    if kind == "number_value":
        number = message.number_value
        return int(number) if number.is_integer() and abs(number) <= _LARGEST_EXACT_INTEGER else number
    if kind == "bool_value":
        return message.bool_value
    if kind == "list_value":
        items = [_decode(item, options) for item in message.list_value.values]
        # Pulumi keeps the place of an unknown element that it does not keep: the following ones must not move up.
        return [None if item is _ABSENT else item for item in items]
    if kind == "struct_value":
        fields = _decode_fields(message.struct_value, options)
        signature = fields.get(SIGNATURE_KEY)
        return fields if signature is None else _decode_marker(signature, fields, options)
    return None


def _decode_unknown(options: Options) -> Value:
    if options.reject_unknowns:
        raise UnknownNotAllowedError("an unknown value in a real run")
    return UNKNOWN if options.keep_unknowns else _ABSENT


def _decode_marker(signature: Value, fields: PropertyMap, options: Options) -> Value:
    decoder = _DECODERS.get(signature) if isinstance(signature, str) else None
    if decoder is None:
        raise WireError(f"unrecognized signature {signature!r} in a property map")
    return decoder(fields, options)


def _decode_secret(fields: PropertyMap, options: Options) -> Value:
    if "value" not in fields:
        # The value was an unknown that is not kept; a secret without any value cannot be told from it here.
        if options.keep_unknowns:
            raise WireError("malformed secret: no value")
        return _ABSENT
    value = fields["value"]
    if not options.keep_secrets:
        return value
    return value if isinstance(value, Secret) else Secret(value)


def _decode_output(fields: PropertyMap, options: Options) -> Value:
    value = fields.get("value", UNKNOWN)
    secret = fields.get("secret", False) is True
    if options.keep_output_values:
        return OutputValue(value=value, secret=secret, dependencies=tuple(fields.get("dependencies") or ()))
    if value is UNKNOWN:
        value = _decode_unknown(options)
    return Secret(value) if secret and options.keep_secrets and value is not _ABSENT else value


def _decode_reference(fields: PropertyMap, options: Options) -> Value:
    urn = fields.get("urn")
    if not isinstance(urn, str):
        raise WireError("malformed resource reference: no urn")
    resource_id: Value = None
    if "id" in fields:
        resource_id = fields["id"]
        if isinstance(resource_id, OutputValue):
            resource_id = resource_id.value
        if resource_id == "" or resource_id is None:
            resource_id = UNKNOWN
    if options.keep_resources:
        return ResourceRef(urn=urn, id=resource_id, package_version=fields.get("packageVersion", ""))
    if resource_id is UNKNOWN:
        return _decode_unknown(options) if options.keep_unknowns else ""
    return urn if resource_id is None else resource_id


def _decode_byte_string(fields: PropertyMap, options: Options) -> bytes:  # noqa: ARG001 - one signature for all
    try:
        return base64.b64decode(fields["value"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise WireError("malformed byte string: value is no base64 text") from error


_DECODERS: dict[str, Callable[[PropertyMap, Options], Value]] = {
    SECRET_SIGNATURE: _decode_secret,
    OUTPUT_SIGNATURE: _decode_output,
    RESOURCE_SIGNATURE: _decode_reference,
    ASSET_SIGNATURE: lambda fields, _options: decode_asset(fields),
    ARCHIVE_SIGNATURE: lambda fields, _options: decode_archive(fields),
    BYTE_STRING_SIGNATURE: _decode_byte_string,
}


def is_finite(number: float) -> bool:
    """Whether JSON can carry the number as it is."""
    return not (math.isnan(number) or math.isinf(number))
