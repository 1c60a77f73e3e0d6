"""Texts of policies against values of requests: wildcards, variables, ARNs by their parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

ARN_PARTS = 6
ANY, ONE = "\ue000", "\ue001"
"""Stand for `*` and `?` while variables are put in, whose values may hold both as plain characters."""
VARIABLE = re.compile(r"\$\{([^}]*)\}")
LITERALS = {"*": "*", "?": "?", "$": "$"}

Lookup = Callable[[str], tuple[str, ...]]
"""The values of a condition key in the request; empty where it has none."""


def fill_in(pattern: str, lookup: Lookup | None, *, wildcards: bool = True) -> str | None:
    """The pattern with its variables' values, and `*` and `?` replaced by their stand-ins.

    None when a variable has no value, or more than one: such a pattern matches nothing. Without `lookup` there are no variables.
    """
    parts: list[str] = []
    position = 0
    for found in VARIABLE.finditer(pattern) if lookup else ():
        parts.append(_marked(pattern[position : found.start()], wildcards=wildcards))
        value = _value(found[1], lookup) if lookup else None
        if value is None or ANY in value or ONE in value:
            return None
        parts.append(value)
        position = found.end()
    return "".join([*parts, _marked(pattern[position:], wildcards=wildcards)])


def like(marked: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether the whole value fits a pattern of `fill_in`."""
    return bool(_compiled(marked, ignore_case=ignore_case).fullmatch(value))


def arn_like(marked: str, value: str) -> bool:
    """As `like`, each part of an ARN for itself: a wildcard ends at the next colon, but for one in the last part."""
    if marked == ANY:
        return True
    ours, theirs = marked.split(":", ARN_PARTS - 1), value.split(":", ARN_PARTS - 1)
    return len(ours) == len(theirs) == ARN_PARTS and all(
        like(part, other) for part, other in zip(ours, theirs, strict=True)
    )


def _value(variable: str, lookup: Lookup) -> str | None:
    if variable in LITERALS:
        return LITERALS[variable]
    key, comma, default = (part.strip() for part in variable.partition(","))
    values = lookup(key)
    if len(values) == 1:
        return values[0]
    return default.strip("'") if comma and not values else None


def _marked(text: str, *, wildcards: bool) -> str:
    return text.replace("*", ANY).replace("?", ONE) if wildcards else text


@lru_cache(maxsize=4096)
def _compiled(marked: str, *, ignore_case: bool) -> re.Pattern[str]:
    first, *others = (re.escape(part).replace(ONE, ".") for part in marked.split(ANY))
    # What a wildcard took is not tried again (an atomic group): many of them would take years over a short value.
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    text = f"{first}{middle}.*{others[-1]}" if others else first
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
