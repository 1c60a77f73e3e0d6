"""Rules that moto takes and HAProxy would not. One such rule in the state would keep every later change from taking effect."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from moto.elbv2.exceptions import ELBClientError

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&*+.^_`|~-]+")
"""A token of RFC 9110; quotes and parentheses would end the expression that it becomes a part of."""
METHOD = re.compile(r"[A-Z_-]+")


def check_conditions(conditions: Iterable[Mapping[str, Any]]) -> None:
    """Raise AWS's ValidationError for the first condition that cannot be served."""
    for condition in conditions:
        for text in _texts(condition):
            if any(ord(character) < 32 or ord(character) == 127 for character in text):
                raise _invalid(f"{text!r} holds a control character")
        header: Mapping[str, Any] = condition.get("HttpHeaderConfig") or {}
        if header and not HEADER_NAME.fullmatch(str(header.get("HttpHeaderName", ""))):
            raise _invalid(f"'{header.get('HttpHeaderName', '')}' is not the name of an HTTP header")
        for network in _values(condition, "SourceIpConfig"):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise _invalid(f"'{network}' is not a CIDR block") from None
        for method in _values(condition, "HttpRequestMethodConfig"):
            if not METHOD.fullmatch(method):
                raise _invalid(f"'{method}' is not an HTTP method")


def check_redirects(actions: Iterable[Mapping[str, Any]]) -> None:
    """Raise AWS's ValidationError for a redirect whose target could not be a header."""
    for action in actions:
        redirect: Mapping[str, Any] = action.get("RedirectConfig") or {}
        for text in _texts(redirect):
            if any(ord(character) < 33 or ord(character) == 127 for character in text):
                raise _invalid(f"{text!r} in a redirect holds a space or a control character")
            if unknown := set(re.findall(r"#\{(\w*)\}", text)) - {"protocol", "host", "port", "path", "query"}:
                raise _invalid(f"#{{{unknown.pop()}}} is not a keyword of a redirect")


def _values(condition: Mapping[str, Any], config: str) -> list[str]:
    found: Mapping[str, Any] = condition.get(config) or {}
    values: list[Any] = found.get("Values") or []
    return [str(value) for value in values]


def _texts(value: object) -> Iterator[str]:
    """Every text anywhere in a piece of a request."""
    if isinstance(value, str):
        yield value
    pieces: list[object] = []
    if isinstance(value, dict):
        pieces = list(cast("dict[str, object]", value).values())
    elif isinstance(value, list):
        pieces = cast("list[object]", value)
    for piece in pieces:
        yield from _texts(piece)


def _invalid(what: str) -> ELBClientError:
    return ELBClientError("ValidationError", f"{what}.")
