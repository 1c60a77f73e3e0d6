"""Whether a role's trust policy lets EKS Pod Identity give the role to a pod: pure, on the policy's document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, cast

PRINCIPAL = "pods.eks.amazonaws.com"
ACTIONS = ("sts:AssumeRole", "sts:TagSession")
"""Pod Identity needs both. Source: EKS user guide, "Create IAM role with trust policy required by EKS Pod Identity"."""

_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
}


def trusts_pod_identity(document: str, context: Mapping[str, str]) -> bool:
    """Whether both actions are allowed, and neither denied. `context`: condition keys with their values.

    An operator that is not known fails the condition in a statement that allows, and meets it in one that denies.
    """
    try:
        policy: dict[str, Any] = json.loads(document)
    except ValueError:
        return False
    statements: list[Mapping[str, Any]] = _listed(policy.get("Statement"))
    return all(_allowed(statements, action, context) for action in ACTIONS)


def _allowed(statements: list[Mapping[str, Any]], action: str, context: Mapping[str, str]) -> bool:
    effects = {str(each.get("Effect")) for each in statements if _concerns(each, action, context)}
    return effects == {"Allow"}


def _concerns(statement: Mapping[str, Any], action: str, context: Mapping[str, str]) -> bool:
    principal = statement.get("Principal")
    services = _listed(cast("dict[str, Any]", principal).get("Service")) if isinstance(principal, dict) else []
    named = PRINCIPAL in services or principal == "*"
    actions = [str(each).lower() for each in _listed(statement.get("Action"))]
    denies = statement.get("Effect") == "Deny"
    conditions: Mapping[str, Mapping[str, Any]] = statement.get("Condition") or {}
    return (
        named
        and any(fnmatchcase(action.lower(), each) for each in actions)
        and all(_met(operator, wanted, context, denies) for operator, wanted in conditions.items())
    )


def _met(operator: str, wanted: Mapping[str, Any], context: Mapping[str, str], unknown: bool) -> bool:
    matches = _OPERATORS.get(operator)
    if matches is None:
        return unknown
    keys = {key.lower(): value for key, value in context.items()}
    return all(
        key.lower() in keys and any(matches(keys[key.lower()], str(each)) for each in _listed(values))
        for key, values in wanted.items()
    )


def _listed(value: Any) -> list[Any]:
    return list(_items(value))


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from cast("list[Any]", value)
    elif value is not None:
        yield value
