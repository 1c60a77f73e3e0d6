"""Rule conditions in HAProxy's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slipway.errors import UsageError
from slipway.sandbox.traffic.model import Condition


def quote(text: str) -> str:
    """`text` as one word of an HAProxy configuration file, whatever is in it."""
    one_line(text)
    return "'" + text.replace("'", "'\\''") + "'"


def one_line(value: object) -> object:
    """The value itself, of everything that is written into a configuration file: none may begin another line there."""
    if any(ord(character) < 32 for character in str(value)):
        raise UsageError(f"a load balancer's value holds a control character: {value!r}", remedy="remove it")
    return value


def wildcard_regex(pattern: str) -> str:
    """ALB's wildcards as a regular expression: `*` is any run of characters, `?` exactly one."""
    return "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)


def render_conditions(conditions: Sequence[Condition]) -> str:
    """Anonymous ACLs that all must hold; empty for a default rule."""
    return " ".join(_render(condition) for condition in conditions)


def _render(condition: Condition) -> str:
    match condition.kind:
        case "path-pattern":
            return _regex("path", condition.values)
        case "host-header":
            return _regex("req.hdr(host),field(1,:)", condition.values, ignore_case=True)
        case "http-header":
            return _regex(f"req.fhdr({condition.header})", condition.values, ignore_case=True)
        case "query-string":
            return _regex("query", condition.values, ignore_case=True, anchored=False)
        case "http-request-method":
            return "{ method -m str " + " ".join(quote(value) for value in condition.values) + " }"
        case "source-ip":
            return "{ src " + " ".join(quote(value) for value in condition.values) + " }"
        case other:
            raise UsageError(f"the sandbox's load balancer does not know the condition {other!r}")


def query_pattern(key: str, value: str) -> str:
    """The regular expression of one query-string pair; an empty key matches any."""
    name = f"{wildcard_regex(key)}=" if key else "([^&=]*=)?"
    return f"(^|&){name}{wildcard_regex(value).replace('.*', '[^&]*')}(&|$)"


def _regex(sample: str, values: Sequence[str], *, ignore_case: bool = False, anchored: bool = True) -> str:
    patterns = [f"^{wildcard_regex(value)}$" if anchored else value for value in values]
    flags = "-i -m reg" if ignore_case else "-m reg"
    return "{ " + f"{sample} {flags} " + " ".join(quote(pattern) for pattern in patterns) + " }"
