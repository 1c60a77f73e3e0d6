"""Property maps on the wire, as the engine sends and takes them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2

from slipway.providers.values import UNKNOWN, Archive, Asset, Secret
from slipway.providers.wire import UNKNOWN_SENTINELS, WireError, decode, encode

SIGNATURE = "4dabf18193072939515e22adb298388d"
VALUES: dict[str, Any] = {
    "nothing": None,
    "flag": True,
    "whole": 3,
    "part": 0.5,
    "text": "",
    "list": [1, [], {"deep": False}],
    "map": {},
    "unknown": UNKNOWN,
    "secret": Secret({"inner": [Secret("x"), UNKNOWN]}),
    "file": Asset(path="www/index.html", hash="aa"),
    "empty text": Asset(text="", hash="bb"),
    "unchanged": Asset(hash="cc"),
    "tree": Archive(assets={"a": Asset(uri="https://example.com/a"), "b": Archive(path="b.zip")}),
}


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(value, struct_pb2.Struct())


def test_values_come_back_as_they_were() -> None:
    assert decode(encode(VALUES)) == VALUES


def test_whole_numbers_are_integers_as_far_as_doubles_count_exactly() -> None:
    decoded = decode(struct({"one": 1.0, "many": float(2**60)}))
    assert [(type(value), value) for value in decoded.values()] == [(int, 1), (float, float(2**60))]


@pytest.mark.parametrize("sentinel", sorted(UNKNOWN_SENTINELS))
def test_every_sentinel_is_unknown(sentinel: str) -> None:
    assert decode(struct({"a": [sentinel]})) == {"a": [UNKNOWN]}


def test_secrets_are_unwrapped_for_a_provider_that_does_not_take_them() -> None:
    assert decode(encode({"a": [Secret("x")]}), keep_secrets=False) == {"a": ["x"]}


def test_markers_have_the_engines_form() -> None:
    encoded = json_format.MessageToDict(encode({"a": Asset(text="x", hash="aa"), "s": Secret(1)}))
    assert encoded == {
        "a": {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": "x", "hash": "aa"},
        "s": {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": 1.0},
    }


def test_refuses_what_has_no_form() -> None:
    with pytest.raises(WireError, match="signature 'other'"):
        decode(struct({"a": {SIGNATURE: "other"}}))
    with pytest.raises(WireError, match="bytes is no property value"):
        encode({"a": b"x"})
