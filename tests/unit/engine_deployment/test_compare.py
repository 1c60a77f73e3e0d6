"""What counts as a difference, and what the program's options make of a provider's diff."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.engine.deployment.compare import (
    Change,
    annotate_secrets,
    detailed_diff,
    mark_secret_outputs,
    settle_diff,
    should_trigger_replace,
    values_equal,
)
from slipway.engine.provider import DiffChanges, DiffKind, DiffResult, PropertyDiff
from slipway.engine.values import UNKNOWN, Asset, Secret


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        (True, True, True),
        ("1", 1, False),
        (None, None, True),
        (None, "", False),
        (Secret("a"), "a", True),
        ({"a": [Secret(1)]}, {"a": [1]}, True),
        ({"a": None}, {}, False),
        ([1, 2], [2, 1], False),
        (UNKNOWN, UNKNOWN, True),
        (UNKNOWN, "a", False),
        (Asset(path="x", hash="1"), Asset(text="y", hash="1"), True),
        (Asset(path="x", hash="1"), Asset(path="x", hash="2"), False),
    ],
)
def test_values_are_equal_by_meaning(left: Any, right: Any, equal: bool) -> None:
    assert values_equal(left, right) is equal
    assert values_equal(right, left) is equal


def kinds(old: Any, new: Any) -> dict[str, str]:
    return {path: one.kind.value for path, one in detailed_diff(old, new).items()}


def test_detailed_diff_goes_as_deep_as_both_sides_do() -> None:
    old = {"same": 1, "gone": 1, "map": {"x": 1, "y": 1}, "list": [1, 2, 3], "kind": {"a": 1}, "a.b": 1}
    new = {"same": 1, "map": {"x": 2, "z": 1}, "list": [1, 9], "kind": [1], "a.b": 2, "added": 1}
    assert kinds(old, new) == {
        "gone": "delete",
        "map.x": "update",
        "map.y": "delete",
        "map.z": "add",
        "list[1]": "update",
        "list[2]": "delete",
        "kind": "update",
        '["a.b"]': "update",
        "added": "add",
    }


def settle(answer: DiffResult, old: Any, new: Any, **options: Any) -> Change:
    return settle_diff(answer, old_inputs=old, new_inputs=new, **options)


def test_unknown_answer_is_decided_by_comparing_inputs() -> None:
    assert not settle(DiffResult(), {"a": 1}, {"a": 1.0}).changed
    change = settle(DiffResult(), {"a": 1}, {"a": 2})
    assert (change.changed, change.changed_keys, change.replaces) == (True, ("a",), False)


def test_answer_of_no_changes_is_believed() -> None:
    assert not settle(DiffResult(changes=DiffChanges.NONE), {"a": 1}, {"a": 2}).changed


def test_ignored_changes_are_none() -> None:
    assert not settle(DiffResult(), {"a": 1}, {"a": 2}, ignore_changes=["a"]).changed


def test_replaces_need_a_change() -> None:
    assert not settle(DiffResult(changes=DiffChanges.NONE, replaces=("a",)), {}, {}).replaces
    assert settle(DiffResult(changes=DiffChanges.SOME, replaces=("a",)), {"a": 1}, {"a": 2}).replaces


def test_detailed_kind_alone_replaces() -> None:
    detailed = {"a.b": PropertyDiff(kind=DiffKind.UPDATE_REPLACE)}
    change = settle(DiffResult(changes=DiffChanges.SOME, detailed=detailed), {}, {})
    assert change.replaces
    assert change.replace_keys == ("a",)


@pytest.mark.parametrize("path", ["a", "a.b", "*"])
def test_replace_on_changes_turns_matching_changes_into_replacing_ones(path: str) -> None:
    detailed = {"a.b": PropertyDiff(kind=DiffKind.UPDATE), "c": PropertyDiff(kind=DiffKind.ADD)}
    change = settle(DiffResult(changes=DiffChanges.SOME, detailed=detailed), {}, {}, replace_on_changes=[path])
    assert change.replaces
    assert change.detailed["a.b"].kind is DiffKind.UPDATE_REPLACE
    assert change.detailed["c"].kind is (DiffKind.ADD_REPLACE if path == "*" else DiffKind.ADD)


def test_replace_on_changes_of_another_property_leaves_an_update() -> None:
    change = settle(DiffResult(), {"a": 1}, {"a": 2}, replace_on_changes=["b"])
    assert change.changed
    assert not change.replaces


def test_init_errors_replace_when_named() -> None:
    options = {"has_init_errors": True, "replace_on_changes": ["#initerror"]}
    assert settle(DiffResult(changes=DiffChanges.NONE), {}, {}, **options).replaces
    assert not settle(DiffResult(changes=DiffChanges.NONE), {}, {}, has_init_errors=True).replaces


@pytest.mark.parametrize(
    ("new", "old", "replaces"),
    [
        ("a", "a", False),
        ("a", "b", True),
        (None, "a", False),
        ("a", None, False),
        (UNKNOWN, "a", True),
        (Secret("a"), "a", False),
    ],
)
def test_replacement_trigger(new: Any, old: Any, replaces: bool) -> None:
    assert should_trigger_replace(new, old) is replaces


def test_outputs_named_like_secret_inputs_are_secret_but_never_the_id() -> None:
    outputs = {"id": "x", "password": "p", "extra": "e", "plain": 1}
    marked = mark_secret_outputs(outputs, {"id": Secret("x"), "password": Secret("p")}, ["extra", "missing"])
    assert marked == {"id": "x", "password": Secret("p"), "extra": Secret("e"), "plain": 1}


def test_secrets_are_put_back_where_the_inputs_have_them() -> None:
    inputs = {"a": {"deep": Secret(1)}, "list": [1, Secret(2)], "all": Secret({"x": 1})}
    outputs = {"a": {"deep": 1, "more": 2}, "list": [2, 1], "all": {"x": 1}, "new": 3}
    assert annotate_secrets(outputs, inputs) == {
        "a": {"deep": Secret(1), "more": 2},
        "list": Secret([2, 1]),
        "all": Secret({"x": 1}),
        "new": 3,
    }
