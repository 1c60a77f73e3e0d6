"""Condition operators.

Source: "Condition operators" and "Multivalued context keys", IAM User Guide.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal, get_args

from slipway.sandbox.aws.iam.patterns import Lookup, arn_like, fill_in, like

Test = Callable[[str, str], bool]
"""From the policy's value, with its variables filled in, and the request's."""
SetQualifier = Literal["ForAllValues", "ForAnyValue"]
IF_EXISTS = "IfExists"


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A condition operator of a policy, taken apart."""

    test: Test | None
    """None: Null, which asks whether the key is there."""
    negated: bool = False
    wildcards: bool = False
    qualifier: SetQualifier | None = None
    if_exists: bool = False


def holds(conditions: Mapping[str, Mapping[str, tuple[str, ...]]], lookup: Lookup, *, variables: bool = True) -> bool:
    """Whether all conditions of a statement are met."""
    return all(
        _holds(parse_operator(name), lookup(key), values, lookup if variables else None)
        for name, keys in conditions.items()
        for key, values in keys.items()
    )


def _holds(operator: Operator, found: tuple[str, ...], wanted: tuple[str, ...], lookup: Lookup | None) -> bool:
    if operator.test is None:
        return any((value.lower() == "true") == (not found) for value in wanted)
    if not found:
        return (
            operator.if_exists
            or operator.qualifier == "ForAllValues"
            or (operator.negated and operator.qualifier is None)
        )
    patterns = [
        filled for value in wanted if (filled := fill_in(value, lookup, wildcards=operator.wildcards)) is not None
    ]
    test = operator.test
    fits = [any(_tested(test, pattern, value) for pattern in patterns) for value in found]
    if operator.qualifier == "ForAllValues":
        return not any(fits) if operator.negated else all(fits)
    if operator.qualifier == "ForAnyValue":
        return not all(fits) if operator.negated else any(fits)
    return not any(fits) if operator.negated else any(fits)


def _tested(test: Test, pattern: str, value: str) -> bool:
    try:
        return test(pattern, value)
    except (ValueError, InvalidOperation, binascii.Error):
        return False


@lru_cache(maxsize=256)
def parse_operator(name: str) -> Operator:
    """Raises ValueError for one that IAM does not have."""
    prefix, _, rest = name.partition(":")
    qualifier: SetQualifier | None = next((each for each in get_args(SetQualifier) if each == prefix), None)
    base = rest if qualifier else name
    if_exists = base.endswith(IF_EXISTS)
    base = base.removesuffix(IF_EXISTS)
    if base == "Null" and not if_exists:
        return Operator(test=None)
    negated = base in NEGATIONS
    positive = NEGATIONS.get(base, base)
    if positive not in TESTS:
        raise ValueError(f"no condition operator {name}")
    wildcards = positive.startswith("Arn") or positive == "StringLike"
    return Operator(
        test=TESTS[positive], negated=negated, wildcards=wildcards, qualifier=qualifier, if_exists=if_exists
    )


def _number(text: str) -> Decimal:
    return Decimal(text)


def _date(text: str) -> datetime:
    """ISO 8601, or seconds since 1970."""
    if text.lstrip("-").isdecimal():
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_network(network: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


TESTS: dict[str, Test] = {
    "StringEquals": lambda ours, theirs: ours == theirs,
    "StringEqualsIgnoreCase": lambda ours, theirs: ours.casefold() == theirs.casefold(),
    "StringLike": like,
    "NumericEquals": lambda ours, theirs: _number(theirs) == _number(ours),
    "NumericLessThan": lambda ours, theirs: _number(theirs) < _number(ours),
    "NumericLessThanEquals": lambda ours, theirs: _number(theirs) <= _number(ours),
    "NumericGreaterThan": lambda ours, theirs: _number(theirs) > _number(ours),
    "NumericGreaterThanEquals": lambda ours, theirs: _number(theirs) >= _number(ours),
    "DateEquals": lambda ours, theirs: _date(theirs) == _date(ours),
    "DateLessThan": lambda ours, theirs: _date(theirs) < _date(ours),
    "DateLessThanEquals": lambda ours, theirs: _date(theirs) <= _date(ours),
    "DateGreaterThan": lambda ours, theirs: _date(theirs) > _date(ours),
    "DateGreaterThanEquals": lambda ours, theirs: _date(theirs) >= _date(ours),
    "Bool": lambda ours, theirs: ours.lower() == theirs.lower(),
    "BinaryEquals": lambda ours, theirs: base64.b64decode(ours) == base64.b64decode(theirs),
    "IpAddress": _in_network,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
}
NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
