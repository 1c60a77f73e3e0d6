"""Property values in the state file: JSON with Pulumi's markers, secrets as ciphertext.

Objects are written with sorted keys, as Go writes maps, so that a file changes only where a value did. A secret keeps its
ciphertext as long as its value and its place stay the same.
Source: `SerializePropertyValue` in pulumi/pulumi's `pkg/resource/stack/deployment.go`.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

from slipway.engine.secrets import SecretsManager
from slipway.engine.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    FLOAT_SIGNATURE,
    RESOURCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_SENTINEL,
    Archive,
    Asset,
    OutputValue,
    PropertyMap,
    ResourceRef,
    Secret,
    Value,
)
from slipway.engine.wire import (
    BYTE_STRING_SIGNATURE,
    decode_archive,
    decode_asset,
    encode_fields,
    is_finite,
    normalize_number,
)

_ROOT: tuple[Any, ...] = ()
_LARGEST_EXACT = 2**53
"""Integers up to here are doubles, which is what all numbers of Pulumi are."""


class PropertyError(ValueError):
    """A value of the file that cannot be read."""


def dump(value: object) -> str:
    """Compact JSON, keys in the given order, no escapes beyond JSON's own."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Vault:
    """Turns secrets into ciphertexts and back, and keeps the ciphertext of a value that did not change."""

    def __init__(self, encrypter: Callable[[], SecretsManager], decrypter: Callable[[], SecretsManager]) -> None:
        """Both are called at the first secret only: a state without secrets needs no passphrase."""
        self._encrypter = encrypter
        self._decrypter = decrypter
        self._known: dict[tuple[Any, ...], tuple[str, str]] = {}
        self.saw_plaintext = False
        """Whether a secret was read that was not encrypted: it must not be written back as it was."""

    def seal(self, place: tuple[Any, ...], plaintext: str) -> str:
        """The ciphertext of `plaintext` at `place`: the old one if nothing changed there."""
        known = self._known.get(place)
        if known is not None and known[0] == plaintext:
            return known[1]
        ciphertext = self._encrypter().encrypt(plaintext)
        self._known[place] = (plaintext, ciphertext)
        return ciphertext

    def open(self, place: tuple[Any, ...], ciphertext: str) -> Value:
        """The value of a ciphertext, remembered for `seal` unless the stack's salt has changed since."""
        manager = self._decrypter()
        value = _read_plaintext(manager.decrypt(ciphertext))
        if manager is self._encrypter():
            self._known[place] = (_plaintext(value), ciphertext)
        return value


def encode_properties(properties: Mapping[str, Value], vault: Vault, place: tuple[Any, ...] = _ROOT) -> dict[str, Any]:
    """A property map as JSON data. `place`: identifies the map within the state, for stable ciphertexts."""
    return {key: encode_property(properties[key], vault, (place, key)) for key in sorted(properties)}


def encode_property(value: Value, vault: Vault | None, place: tuple[Any, ...] = _ROOT) -> Any:
    """One value as JSON data. `vault` None: within a secret, where nested ones keep their mark but are not sealed again."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is str or kind is bool or kind is int or value is None:
        return value
    if kind is dict:
        return {key: encode_property(value[key], vault, (place, key)) for key in sorted(value)}
    if kind is list or kind is tuple:
        return [encode_property(item, vault, (place, index)) for index, item in enumerate(value)]
    if kind is float:
        return _encode_float(value)
    if kind is Secret:
        plaintext = _plaintext(value.value)
        # Pulumi's own nested secrets carry their plain JSON under the key `ciphertext`: the outer one seals both.
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": vault.seal(place, plaintext) if vault else plaintext}
    return _encode_marker(value, vault, place)


def _encode_marker(value: Value, vault: Vault | None, place: tuple[Any, ...]) -> Any:  # noqa: PLR0911 - one per marker
    if value is UNKNOWN:
        return UNKNOWN_SENTINEL
    if isinstance(value, OutputValue):
        return encode_property(Secret(value.value) if value.secret else value.value, vault, place)
    if isinstance(value, ResourceRef):
        fields: dict[str, Any] = {SIGNATURE_KEY: RESOURCE_SIGNATURE}
        if value.id is not None:
            fields["id"] = "" if value.id is UNKNOWN else value.id
        return fields | {"packageVersion": value.package_version, "urn": value.urn}
    if isinstance(value, (Asset, Archive)):
        return encode_property(encode_fields(value), vault, place)
    if isinstance(value, bytes):
        return {SIGNATURE_KEY: BYTE_STRING_SIGNATURE, "value": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return encode_property(dict(cast(Mapping[str, Any], value)), vault, place)
    if isinstance(value, (str, int, float)):  # enum members and other subclasses
        base = str if isinstance(value, str) else int if isinstance(value, int) else float
        return encode_property(base(value), vault, place)
    raise PropertyError(f"a {type(value).__name__} is no property value")


def _encode_float(value: float) -> Any:
    if is_finite(value):
        # All digits up to 1e21, as Go writes doubles.
        return int(Decimal(repr(value))) if value.is_integer() and abs(value) < 1e21 else value
    return {SIGNATURE_KEY: FLOAT_SIGNATURE, "value": struct.pack(">d", value).hex()}


def _plaintext(value: Value) -> str:
    return dump(encode_property(value, None))


def _read_plaintext(text: str) -> Value:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PropertyError("a secret's plain text is no JSON") from error
    return decode_property(data, None)


def decode_properties(data: Mapping[str, Any] | None, vault: Vault, place: tuple[Any, ...] = _ROOT) -> PropertyMap:
    """A property map from JSON data. Raises PropertyError or DecryptionError."""
    return {key: decode_property(item, vault, (place, key)) for key, item in (data or {}).items()}


def decode_property(data: Any, vault: Vault | None, place: tuple[Any, ...] = _ROOT) -> Value:
    """One value from JSON data."""
    kind: Any = type(data)  # pyright: ignore[reportUnknownVariableType]
    if kind is str:
        return UNKNOWN if data == UNKNOWN_SENTINEL else data
    if kind is dict:
        signature = data.get(SIGNATURE_KEY)
        if signature is not None:
            return _decode_marker(signature, data, vault, place)
        return {key: decode_property(item, vault, (place, key)) for key, item in data.items()}
    if kind is list:
        return [decode_property(item, vault, (place, index)) for index, item in enumerate(data)]
    if kind is float or (kind is int and not -_LARGEST_EXACT <= data <= _LARGEST_EXACT):
        return normalize_number(float(data))  # Go writes 1.5e20 as digits, and means the double
    return data


def _decode_marker(signature: Any, data: dict[str, Any], vault: Vault | None, place: tuple[Any, ...]) -> Value:
    decoder = _DECODERS.get(signature) if isinstance(signature, str) else None
    if decoder is None:
        raise PropertyError(f"unrecognized signature {signature!r} in a property map")
    return decoder(data, vault, place)


def _decode_secret(data: dict[str, Any], vault: Vault | None, place: tuple[Any, ...]) -> Secret:
    ciphertext, plaintext = data.get("ciphertext"), data.get("plaintext")
    if isinstance(plaintext, str) and ciphertext is None:
        if vault is not None:
            vault.saw_plaintext = True
        return Secret(_read_plaintext(plaintext))
    if not isinstance(ciphertext, str) or plaintext is not None:
        raise PropertyError("malformed secret value: exactly one of `ciphertext` or `plaintext` must be supplied")
    return Secret(_read_plaintext(ciphertext) if vault is None else vault.open(place, ciphertext))


def _decode_reference(data: dict[str, Any], vault: Vault | None, place: tuple[Any, ...]) -> ResourceRef:  # noqa: ARG001
    urn = data.get("urn")
    if not isinstance(urn, str):
        raise PropertyError("malformed resource reference: missing urn")
    resource_id: Any = data.get("id")
    if isinstance(resource_id, dict):
        # A fault of some CLI versions wrote the id as {"V": …}: null for a component, an object for an unknown id.
        inner = cast(dict[str, Any], resource_id).get("V")
        resource_id = inner if inner is None or isinstance(inner, str) else ""
    return ResourceRef(
        urn=urn, id=UNKNOWN if resource_id == "" else resource_id, package_version=data.get("packageVersion", "")
    )


def _decode_asset(data: dict[str, Any], vault: Vault | None, place: tuple[Any, ...]) -> Asset:  # noqa: ARG001
    return decode_asset(data)


def _decode_archive(data: dict[str, Any], vault: Vault | None, place: tuple[Any, ...]) -> Archive:  # noqa: ARG001
    return decode_archive(data)


def _decode_bytes(data: dict[str, Any], vault: Vault | None, place: tuple[Any, ...]) -> bytes:  # noqa: ARG001
    try:
        return base64.b64decode(data["value"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise PropertyError("malformed byte string: `value` is no base64 text") from error


def _decode_float(data: dict[str, Any], vault: Vault | None, place: tuple[Any, ...]) -> float:  # noqa: ARG001
    try:
        return float(struct.unpack(">d", bytes.fromhex(data["value"]))[0])
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise PropertyError("malformed float value: `value` is not 16 hex digits") from error


_DECODERS: dict[str, Callable[[dict[str, Any], Vault | None, tuple[Any, ...]], Value]] = {
    SECRET_SIGNATURE: _decode_secret,
    RESOURCE_SIGNATURE: _decode_reference,
    ASSET_SIGNATURE: _decode_asset,
    ARCHIVE_SIGNATURE: _decode_archive,
    BYTE_STRING_SIGNATURE: _decode_bytes,
    FLOAT_SIGNATURE: _decode_float,
}
