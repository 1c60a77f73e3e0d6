"""What IAM would answer to a request by the statements of one document: the operators that the foundation uses, no more.

Not proven: that AWS fills the context in as the tests do.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Document = Mapping[str, Any]


def _each(value: str | Sequence[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [*value]


def _like(values: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern.replace("[", "[[]")) for value in values for pattern in patterns)


def _meets(operator: str, key: str, wanted: Any, context: Mapping[str, str]) -> bool:
    given, wanted = _each(context.get(key)), _each(wanted)
    if operator == "Null":
        return (not given) == (wanted == ["true"])
    if operator.endswith("IfExists"):
        return not given or _meets(operator.removesuffix("IfExists"), key, wanted, context)
    if operator.startswith("ForAllValues:"):
        return all(_like([value], wanted) for value in given)
    if operator in ("StringEquals", "ArnEquals", "Bool", "ForAnyValue:StringEquals"):
        return bool({*given} & {*wanted})
    assert operator in ("StringLike", "ArnLike", "ForAnyValue:StringLike"), operator
    return _like(given, wanted)


def _applies(statement: Document, action: str, resource: str, context: Mapping[str, str], principal: str) -> bool:
    named = [each for values in statement.get("Principal", {"AWS": "*"}).values() for each in _each(values)]
    return (
        (principal in named or "*" in named)
        and _like([action.lower()], [each.lower() for each in _each(statement["Action"])])
        and _like([resource], _each(statement.get("Resource", "*")))
        and all(
            _meets(operator, key, wanted, context)
            for operator, wants in statement.get("Condition", {}).items()
            for key, wanted in wants.items()
        )
    )


def allows(
    statements: Iterable[Document],
    action: str,
    resource: str = "*",
    context: Mapping[str, str] | None = None,
    *,
    principal: str = "",
) -> bool:
    """Whether some statement allows it and none denies it. `principal`: of a resource's policy or a trust."""
    effects = {each["Effect"] for each in statements if _applies(each, action, resource, context or {}, principal)}
    return effects == {"Allow"}
