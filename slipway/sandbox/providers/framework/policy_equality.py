"""Whether two policy documents mean the same."""

from __future__ import annotations

import json
import re
from typing import Any

_SET_KEYS = ("Action", "NotAction", "Resource", "NotResource")
_ACCOUNT_ROOT = re.compile(r"^arn:aws[\w-]*:iam::(\d{12}):root$")


def equivalent_documents(old: str, new: str) -> bool:
    """Whether two JSON documents say the same; for policies, order and single-item lists do not matter."""
    if old == new:
        return True
    try:
        before, after = json.loads(old), json.loads(new)
    except ValueError:
        return False
    return _canonical(before) == _canonical(after)


def _canonical(document: Any) -> str:
    if isinstance(document, dict) and "Statement" in document:
        statements = document["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        document = {**document, "Statement": sorted((_canonical_statement(s) for s in statements), key=_dump)}
    return _dump(document)


def _canonical_statement(statement: dict[str, Any]) -> dict[str, Any]:
    result = dict(statement)
    for key in _SET_KEYS:
        if key in result:
            result[key] = _as_set(result[key])
    for key in ("Principal", "NotPrincipal"):
        if isinstance(result.get(key), dict):
            result[key] = {
                kind: [_ACCOUNT_ROOT.sub(r"\1", v) for v in _as_set(values)] for kind, values in result[key].items()
            }
    conditions = result.get("Condition")
    if isinstance(conditions, dict):
        result["Condition"] = {t: {v: _as_set(values) for v, values in vs.items()} for t, vs in conditions.items()}
    return result


def _as_set(value: Any) -> list[str]:
    return sorted({_text(item) for item in (value if isinstance(value, list) else [value])})


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
