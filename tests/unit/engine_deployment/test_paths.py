"""Property paths: the grammar, what they contain, and putting parts of a value back."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.engine.deployment.paths import PathSyntaxError, format_path, parse_path, path_contains, reset_paths
from slipway.engine.values import Secret


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("root", ("root",)),
        ("root.nested", ("root", "nested")),
        ('root["nested"]', ("root", "nested")),
        ("root.double.nest", ("root", "double", "nest")),
        ("root.array[0]", ("root", "array", 0)),
        ("root.array[100].nested", ("root", "array", 100, "nested")),
        ('root["key with a ."]', ("root", "key with a .")),
        ('["root key with \\"quotes\\""].nested', ('root key with "quotes"', "nested")),
        ("root.array[*].field", ("root", "array", "*", "field")),
        ('["root key with a ."][100]', ("root key with a .", 100)),
    ],
)
def test_path_is_parsed_as_pulumi_does(text: str, path: tuple[Any, ...]) -> None:
    assert parse_path(text) == path
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize("text", ["", "root[", 'root["nested', "root.", "root..x", "root.[1]", ".root", "root[abc]"])
def test_refuses_malformed_paths(text: str) -> None:
    with pytest.raises(PathSyntaxError):
        parse_path(text)


@pytest.mark.parametrize(
    ("outer", "inner", "contained"),
    [
        ("a", "a.b", True),
        ("a.b", "a", False),
        ("a[*].c", "a[3].c", True),
        ("a[*].c", "a[3].d", False),
        ("*", "a", True),
    ],
)
def test_path_contains_what_is_below_it(outer: str, inner: str, contained: bool) -> None:
    assert path_contains(parse_path(outer), parse_path(inner)) is contained


@pytest.mark.parametrize(
    ("new", "old", "paths", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 0, "b": 0}, ["a"], {"a": 0, "b": 2}),
        ({"a": 1}, {}, ["a"], {}),
        ({}, {"a": 1}, ["a"], {"a": 1}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 0, "y": 0}}, ["a.x"], {"a": {"x": 0, "y": 2}}),
        ({"a": {"x": 1}}, {}, ["a.x"], {"a": {}}),
        ({}, {"a": {"x": 1}}, ["a.x"], {}),
        ({"a": [1, 2, 3]}, {"a": [7, 8, 9]}, ["a[1]"], {"a": [1, 8, 3]}),
        ({"a": [{"x": 1, "y": 1}, {"x": 2}]}, {"a": [{"x": 7}]}, ["a[*].x"], {"a": [{"x": 7, "y": 1}, {"x": 2}]}),
        ({"a": 1, "b": 2}, {"a": 7, "c": 8}, ["*"], {"a": 7, "c": 8}),
        ({"a": Secret({"x": 1})}, {"a": Secret({"x": 7})}, ["a.x"], {"a": Secret({"x": 7})}),
        ({"a": {"x": 1}}, {"a": Secret({"x": 7})}, ["a.x"], {"a": {"x": 7}}),
        ({"a": "text"}, {"a": {"x": 7}}, ["a.x"], {"a": "text"}),
    ],
)
def test_reset_paths_takes_the_old_value_where_both_can_hold_it(
    new: dict[str, Any], old: dict[str, Any], paths: list[str], expected: dict[str, Any]
) -> None:
    assert reset_paths(new, old, paths) == expected
