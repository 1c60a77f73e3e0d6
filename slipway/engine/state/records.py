"""One resource record of the state file: JSON to and from `ResourceState`, keys in the order Pulumi writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from slipway.engine.state.model import OperationType, PendingOperation, ResourceState
from slipway.engine.state.properties import (
    PropertyError,
    Vault,
    decode_properties,
    decode_property,
    encode_properties,
    encode_property,
)
from slipway.engine.wire import normalize_number

# Field of ResourceState -> key of the file. Order: that of Go's `apitype.ResourceV3`, because Go writes structs so.
_KEYS: dict[str, str] = {
    "urn": "urn",
    "custom": "custom",
    "delete": "delete",
    "id": "id",
    "type": "type",
    "inputs": "inputs",
    "outputs": "outputs",
    "parent": "parent",
    "protect": "protect",
    "taint": "taint",
    "external": "external",
    "dependencies": "dependencies",
    "init_errors": "initErrors",
    "provider": "provider",
    "property_dependencies": "propertyDependencies",
    "pending_replacement": "pendingReplacement",
    "additional_secret_outputs": "additionalSecretOutputs",
    "aliases": "aliases",
    "custom_timeouts": "customTimeouts",
    "import_id": "importID",
    "retain_on_delete": "retainOnDelete",
    "deleted_with": "deletedWith",
    "replace_with": "replaceWith",
    "created": "created",
    "modified": "modified",
    "source_position": "sourcePosition",
    "stack_trace": "stackTrace",
    "ignore_changes": "ignoreChanges",
    "hide_diff": "hideDiff",
    "replace_on_changes": "replaceOnChanges",
    "replacement_trigger": "replacementTrigger",
    "refresh_before_update": "refreshBeforeUpdate",
    "view_of": "viewOf",
    "resource_hooks": "resourceHooks",
}
_FIELD_OF_KEY = {key: field for field, key in _KEYS.items()}
_ALWAYS = frozenset({"urn", "custom", "type"})
_LISTS = frozenset(
    {
        "dependencies",
        "init_errors",
        "additional_secret_outputs",
        "aliases",
        "replace_with",
        "stack_trace",
        "ignore_changes",
        "hide_diff",
        "replace_on_changes",
    }
)
_LIST_MAPS = frozenset({"property_dependencies", "resource_hooks"})
_TIMES = frozenset({"created", "modified"})
_PROPERTIES = frozenset({"inputs", "outputs"})
_TIMEOUTS = ("create", "update", "delete", "read")
_TEXTS = frozenset(
    {"urn", "id", "type", "parent", "provider", "import_id", "deleted_with", "source_position", "view_of"}
)

_FEATURES = {
    "refresh_before_update": "refreshBeforeUpdate",
    "view_of": "views",
    "resource_hooks": "hooks",
    "taint": "taint",
    "replace_with": "replaceWith",
}
"""Features a version 4 file must name, by the field that needs them."""


def encode_record(state: ResourceState, vault: Vault) -> dict[str, Any]:
    """The record as JSON data. Aliases are left out: by the time a record is saved, all references use its own URN."""
    data: dict[str, Any] = {}
    for field, key in _KEYS.items():
        value = getattr(state, field)
        if field == "replacement_trigger":
            if value is not None:
                data[key] = encode_property(value, vault, (state.urn, state.id, field))
        elif (value or field in _ALWAYS) and field != "aliases":
            encoded = _encode_field(field, value, state, vault)
            if encoded or field in _ALWAYS:
                data[key] = encoded
    return data | dict(state.extra)


def _encode_field(field: str, value: Any, state: ResourceState, vault: Vault) -> Any:
    if field in _PROPERTIES:
        return encode_properties(value, vault, (state.urn, state.id, field))
    if field in _LISTS:
        return list(value)
    if field in _LIST_MAPS:
        return {key: list(value[key]) for key in sorted(value)}
    if field in _TIMES:
        return format_time(value)
    if field == "custom_timeouts":
        return {key: normalize_number(value[key]) for key in _TIMEOUTS if value.get(key)}
    return value


def decode_record(data: Mapping[str, Any], vault: Vault) -> ResourceState:
    """A record from JSON data. Raises PropertyError or DecryptionError."""
    urn, record_id = str(data.get("urn", "")), str(data.get("id", ""))
    if not urn:
        raise PropertyError("a resource misses its `urn`")
    if not data.get("type"):
        raise PropertyError(f"resource {urn} misses its `type`")
    fields: dict[str, Any] = {"custom": False}
    extra: dict[str, Any] = {}
    for key, value in data.items():
        field = _FIELD_OF_KEY.get(key)
        if field is None:
            extra[key] = value
        elif value is not None:
            fields[field] = _decode_field(field, value, (urn, record_id, field), vault)
    if extra:
        fields["extra"] = extra
    return ResourceState(**fields)


def _decode_field(field: str, value: Any, place: tuple[Any, ...], vault: Vault) -> Any:
    if field in _PROPERTIES:
        return decode_properties(value, vault, place)
    if field in _LISTS:
        return tuple(value)
    if field in _LIST_MAPS:
        return {key: tuple(items or ()) for key, items in cast(dict[str, Any], value).items()}
    if field in _TIMES:
        return parse_time(value)
    if field == "replacement_trigger":
        return decode_property(value, vault, place)
    if field in _TEXTS and not isinstance(value, str):
        raise PropertyError(f"{place[0]}: {_KEYS[field]} is no text")
    return value


def encode_operation(operation: PendingOperation, vault: Vault) -> dict[str, Any]:
    """A pending operation as JSON data."""
    return {"resource": encode_record(operation.resource, vault), "type": operation.type.value}


def decode_operation(data: Mapping[str, Any], vault: Vault) -> PendingOperation:
    """A pending operation from JSON data."""
    try:
        kind = OperationType(data.get("type"))
    except ValueError as error:
        raise PropertyError(f"unknown pending operation {data.get('type')!r}") from error
    return PendingOperation(resource=decode_record(data.get("resource") or {}, vault), type=kind)


def record_features(state: ResourceState) -> set[str]:
    """The features a file needs to name because of this record."""
    features = {feature for field, feature in _FEATURES.items() if getattr(state, field)}
    if state.extra.get("snippetID"):
        features.add("snippets-prototype")
    if state.extra.get("extensionRef"):
        features.add("extensionParameterization")
    if any(_contains_bytes(value) for value in (state.inputs, state.outputs, state.replacement_trigger)):
        features.add("byteString")
    return features


def _contains_bytes(value: Any) -> bool:
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        return any(_contains_bytes(item) for item in value.values())
    if kind is list:
        return any(_contains_bytes(item) for item in value)
    return kind is bytes or (hasattr(value, "value") and _contains_bytes(value.value))


class Timestamp(datetime):
    """A time read from a file, which may have nanoseconds: written back as it was."""

    text: str


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC as Go writes it: no trailing zeros in the fraction, `Z`."""
    if isinstance(moment, Timestamp):
        return moment.text
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def parse_time(text: Any) -> datetime:
    """A Go timestamp; its nanoseconds are kept for `format_time` only."""
    try:
        moment = Timestamp.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise PropertyError(f"{text!r} is no RFC 3339 time") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    moment.text = text
    return moment
