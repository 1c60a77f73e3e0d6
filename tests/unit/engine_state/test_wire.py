"""Property maps on the wire, by the table of Pulumi's own marshaling options."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2

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
    ResourceRef,
    Secret,
)
from slipway.engine.wire import (
    KEEP_ALL,
    Options,
    UnknownNotAllowedError,
    WireError,
    decode,
    decode_value,
    encode,
    encode_value,
)

URN = "urn:pulumi:dev::shop::demo:index:Thing::one"


def as_json(struct: struct_pb2.Struct) -> dict[str, Any]:
    return json_format.MessageToDict(struct)


def from_json(data: dict[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(data)
    return struct


ROUND_TRIPS: dict[str, Any] = {
    "text": "text",
    "empty text": "",
    "boolean": True,
    "null": None,
    "integer": 3,
    "fraction": 0.25,
    "negative": -7,
    "large": 2**53,
    "larger than exact": 1e300,
    "empty list": [],
    "empty object": {},
    "nested": {"a": [1, {"b": [None, "x"]}]},
    "unknown": UNKNOWN,
    "secret": Secret("x"),
    "secret of an unknown": Secret(UNKNOWN),
    "secret with a secret": Secret({"a": Secret(1)}),
    "text asset": Asset(text="hello", hash="ab"),
    "empty text asset": Asset(text="", hash="ab"),
    "file asset": Asset(path="a/b", hash="ab"),
    "remote asset": Asset(uri="https://example.com/a"),
    "archive": Archive(assets={"a": Asset(text="x"), "b": Archive(path="dir")}, hash="cd"),
    "reference": ResourceRef(urn=URN, id="i-1", package_version="1.0.0"),
    "reference to a component": ResourceRef(urn=URN),
    "reference with unknown id": ResourceRef(urn=URN, id=UNKNOWN),
    "output": OutputValue(value={"a": 1}, secret=True, dependencies=(URN,)),
    "unknown output": OutputValue(),
    "bytes": b"\xff\x00",
}


@pytest.mark.parametrize("value", ROUND_TRIPS.values(), ids=list(ROUND_TRIPS))
def test_value_comes_back_as_it_was_when_all_is_kept(value: Any) -> None:
    assert decode(encode({"a": value})) == {"a": value}
    assert decode_value(encode_value(value)) == value


def test_integral_double_becomes_an_integer() -> None:
    decoded = decode(from_json({"a": 1.0, "b": 1.5}))

    assert decoded == {"a": 1, "b": 1.5}
    assert isinstance(decoded["a"], int)


MARKERS: dict[str, tuple[Any, Options, Any]] = {
    "secret": (Secret("x"), KEEP_ALL, {SIGNATURE_KEY: SECRET_SIGNATURE, "value": "x"}),
    "secret, not kept": (Secret(Secret("x")), Options(), "x"),
    "unknown": (UNKNOWN, KEEP_ALL, UNKNOWN_SENTINEL),
    "asset": (Asset(path="p", hash="h"), KEEP_ALL, {SIGNATURE_KEY: ASSET_SIGNATURE, "path": "p", "hash": "h"}),
    "elided asset": (
        Asset(path="p", hash="h"),
        Options(elide_assets=True),
        {SIGNATURE_KEY: ASSET_SIGNATURE, "hash": "h"},
    ),
    "elided archive": (
        Archive(path="p", hash="h"),
        Options(elide_assets=True),
        {SIGNATURE_KEY: ARCHIVE_SIGNATURE, "hash": "h"},
    ),
    "reference": (
        ResourceRef(urn=URN, id="i", package_version="1"),
        KEEP_ALL,
        {SIGNATURE_KEY: RESOURCE_SIGNATURE, "urn": URN, "id": "i", "packageVersion": "1"},
    ),
    "reference with unknown id": (
        ResourceRef(urn=URN, id=UNKNOWN),
        KEEP_ALL,
        {SIGNATURE_KEY: RESOURCE_SIGNATURE, "urn": URN, "id": ""},
    ),
    "reference to a custom, not kept": (ResourceRef(urn=URN, id="i"), Options(), "i"),
    "reference to a component, not kept": (ResourceRef(urn=URN), Options(), URN),
    "output": (
        OutputValue(value="x", secret=True, dependencies=(URN,)),
        KEEP_ALL,
        {SIGNATURE_KEY: OUTPUT_SIGNATURE, "value": "x", "secret": True, "dependencies": [URN]},
    ),
    "unknown output": (OutputValue(), KEEP_ALL, {SIGNATURE_KEY: OUTPUT_SIGNATURE}),
    "output, not kept": (
        OutputValue(value="x", secret=True),
        Options(keep_secrets=True),
        {SIGNATURE_KEY: SECRET_SIGNATURE, "value": "x"},
    ),
    "unknown output, not kept": (OutputValue(), Options(keep_unknowns=True), UNKNOWN_SENTINEL),
}


@pytest.mark.parametrize(("value", "options", "wire"), MARKERS.values(), ids=list(MARKERS))
def test_marker_is_written_as_pulumi_writes_it(value: Any, options: Options, wire: Any) -> None:
    assert as_json(encode({"a": value}, options)) == {"a": wire}


def test_unknown_is_left_out_when_it_is_not_kept() -> None:
    assert as_json(encode({"a": UNKNOWN, "b": [1, UNKNOWN], "c": Secret(UNKNOWN)}, Options())) == {"b": [1]}
    assert decode(from_json({"a": UNKNOWN_SENTINEL, "b": [UNKNOWN_SENTINEL, 1]}), Options()) == {"b": [None, 1]}


@pytest.mark.parametrize("sentinel", sorted(UNKNOWN_SENTINELS))
def test_every_sentinel_is_the_unknown(sentinel: str) -> None:
    assert decode(from_json({"a": sentinel}))["a"] is UNKNOWN


@pytest.mark.parametrize("value", [UNKNOWN, [UNKNOWN], {"a": UNKNOWN}, Secret(UNKNOWN), OutputValue()])
def test_refuses_unknowns_when_a_real_run_has_none(value: Any) -> None:
    with pytest.raises(UnknownNotAllowedError):
        encode({"a": value}, Options(reject_unknowns=True, keep_unknowns=True))
    with pytest.raises(UnknownNotAllowedError):
        decode(encode({"a": value}), Options(reject_unknowns=True))


def test_decoding_drops_the_marks_that_are_not_kept() -> None:
    wire = encode({"s": Secret("x"), "o": OutputValue(value="y", secret=True), "r": ResourceRef(urn=URN, id="i")})

    assert decode(wire, Options()) == {"s": "x", "o": "y", "r": "i"}
    assert decode(wire, Options(keep_secrets=True)) == {"s": Secret("x"), "o": Secret("y"), "r": "i"}


def test_nulls_and_internal_keys_are_left_out_on_demand() -> None:
    options = Options(skip_nulls=True, skip_internal_keys=True)

    assert as_json(encode({"a": None, "__b": 1, "c": {"__d": 1, "e": None}}, options)) == {"c": {"__d": 1.0}}
    assert decode(from_json({"a": None, "__b": 1, "c": [None]}), options) == {"c": [None]}


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        ({SIGNATURE_KEY: "nobody knows"}, "unrecognized signature 'nobody knows'"),
        ({SIGNATURE_KEY: 3}, "unrecognized signature 3"),
        ({SIGNATURE_KEY: SECRET_SIGNATURE}, "malformed secret"),
        ({SIGNATURE_KEY: RESOURCE_SIGNATURE}, "malformed resource reference"),
        ({SIGNATURE_KEY: ARCHIVE_SIGNATURE, "assets": {"a": 1}}, "malformed archive"),
        ({SIGNATURE_KEY: "803fd3297a5875dc03ca845dda5d2a98", "value": "?"}, "malformed byte string"),
    ],
)
def test_refuses_a_malformed_marker(wire: dict[str, Any], text: str) -> None:
    with pytest.raises(WireError, match=text):
        decode(from_json({"a": wire}))


def test_refuses_a_value_of_no_property_type() -> None:
    with pytest.raises(WireError, match="a object is no property value"):
        encode({"a": object()})
