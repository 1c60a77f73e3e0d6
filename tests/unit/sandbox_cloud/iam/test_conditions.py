"""Condition operators, by the examples and rules of the IAM User Guide."""

from __future__ import annotations

import signal

import pytest

from slipway.sandbox.aws.iam.conditions import NEGATIONS, TESTS, holds, parse_operator
from slipway.sandbox.aws.iam.patterns import fill_in, like

KEY = "aws:Key"


def met(operator: str, wanted: str | tuple[str, ...], *found: str) -> bool:
    values = (wanted,) if isinstance(wanted, str) else wanted
    return holds(
        {operator: {KEY: values}}, lambda key: found if key == KEY else ("filled",) if key == "aws:one" else ()
    )


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("StringEquals", "Value", "Value", True),
        ("StringEquals", "Value", "value", False),
        ("StringEquals", "Val*", "Value", False),
        ("StringEquals", "${aws:one}", "filled", True),
        ("StringEquals", "${aws:none}", "", False),
        ("StringEqualsIgnoreCase", "Value", "vALUE", True),
        ("StringLike", "Val*", "Value", True),
        ("StringLike", "Val?", "Value", False),
        ("StringNotLike", "Val*", "Value", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "11", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("NumericEquals", "10", "ten", False),
        ("NumericNotEquals", "10", "ten", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59+00:00", False),
        ("DateEquals", "1767225600", "2026-01-01T00:00:00Z", True),
        ("Bool", "true", "True", True),
        ("Bool", "true", "false", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.7", False),
        ("NotIpAddress", "203.0.113.0/24", "203.0.114.7", True),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", True),
        ("ArnEquals", "arn:aws:sns:*:123:TOPIC-*", "arn:aws:sns:us-east-1:123:TOPIC-1", True),
        ("ArnLike", "arn:aws:sns:*:TOPIC", "arn:aws:sns:us-east-1:123:TOPIC", False),
        ("ArnNotLike", "arn:aws:sns:*:123:*", "arn:aws:sns:us-east-1:123:TOPIC", False),
        ("Null", "true", "there", False),
        ("Null", "false", "there", True),
    ],
)
def test_operator(operator: str, wanted: str, found: str, expected: bool) -> None:
    assert met(operator, wanted, found) is expected


@pytest.mark.parametrize("operator", sorted(TESTS))
def test_missing_key_meets_nothing_but_what_is_negated_or_may_be_absent(operator: str) -> None:
    assert not met(operator, "x")
    assert met(f"{operator}IfExists", "x")
    assert not met(f"ForAnyValue:{operator}", "x")
    assert met(f"ForAllValues:{operator}", "x")


@pytest.mark.parametrize("operator", sorted(NEGATIONS))
def test_negated_operator_is_met_by_a_missing_key(operator: str) -> None:
    assert met(operator, "x")
    assert not met(f"ForAnyValue:{operator}", "x")


def test_null_asks_whether_the_key_is_there() -> None:
    assert met("Null", "true")
    assert not met("Null", "false")


@pytest.mark.parametrize(
    ("operator", "found", "expected"),
    [
        ("StringEquals", ("a",), True),
        ("StringEquals", ("c",), False),
        ("StringNotEquals", ("a",), False),
        ("StringNotEquals", ("c",), True),
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "c"), False),
        ("ForAnyValue:StringEquals", ("a", "c"), True),
        ("ForAnyValue:StringEquals", ("c", "d"), False),
        ("ForAllValues:StringNotEquals", ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ("a", "d"), False),
        ("ForAnyValue:StringNotEquals", ("a", "d"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
    ],
)
def test_several_values_on_both_sides(operator: str, found: tuple[str, ...], expected: bool) -> None:
    assert met(operator, ("a", "b"), *found) is expected


def test_all_operators_and_keys_must_be_met() -> None:
    given = {"aws:a": ("1",), "aws:b": ("2",)}
    conditions = {"StringEquals": {"aws:a": ("1",), "aws:b": ("2",)}, "NumericLessThan": {"aws:b": ("3",)}}
    assert holds(conditions, lambda key: given[key])
    for changed in ({"aws:a": ("x",)}, {"aws:b": ("4",)}):
        assert not holds(conditions, lambda key, changed=changed: {**given, **changed}[key])


@pytest.mark.parametrize("name", ["Equals", "StringEqual", "NullIfExists", "ForSomeValues:StringEquals", ""])
def test_refuses_an_operator_that_iam_does_not_have(name: str) -> None:
    with pytest.raises(ValueError, match="no condition operator"):
        parse_operator(name)


def test_many_wildcards_are_matched_in_time() -> None:
    def late(*_: object) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(
        signal.ITIMER_VIRTUAL, 5
    )  # of computing: a session policy of any caller is matched under the API's lock
    try:
        pattern = fill_in("*i" * 500 + "*x?", None)
        assert pattern is not None
        assert not like(pattern, "i" * 2000)
        assert like(pattern, "i" * 500 + "ixx")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
