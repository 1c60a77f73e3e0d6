"""Rules that moto takes and HAProxy would not. One such rule in the state would keep every later change from taking effect."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from moto.elbv2.exceptions import ELBClientError

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&*+.^_`|~-]+")
"""A token of RFC 9110; quotes and parentheses would end the expression that it becomes a part of."""
CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
CONFIGS = {"forward": "ForwardConfig", "redirect": "RedirectConfig", "fixed-response": "FixedResponseConfig"}
METHOD = re.compile(r"[A-Z_-]+")
MAXIMUM_CONDITION_VALUES = 5
MAXIMUM_CONDITION_WILDCARDS = 6
"""Of one rule, both; source: quotas of Application Load Balancers, 2026."""
LONGEST_HEADER_NAME, LONGEST_VALUE = 40, 128
"""Characters; source: RuleCondition, Elastic Load Balancing API reference 2015-12-01."""


def check_conditions(conditions: Iterable[Mapping[str, Any]]) -> None:
    """Raise AWS's ValidationError for the first condition that cannot be served, and for more of them than a rule may have."""
    conditions = list(conditions)
    _check_numbers([value for condition in conditions for value in _condition_values(condition)])
    for condition in conditions:
        configs: list[Any] = [value for value in condition.values() if isinstance(value, dict)]
        if not condition.get("Field") or not any(config.get("Values") for config in [condition, *configs]):
            raise invalid("A condition needs a field and a value; the sandbox serves no regular expressions")
        for text in _texts(condition):
            if any(ord(character) < 32 or ord(character) == 127 for character in text):
                raise invalid(f"{text!r} holds a control character")
        _check_header(condition.get("HttpHeaderConfig") or {})
        if any(len(text) > LONGEST_VALUE for text in _texts(_condition_values(condition))):
            raise invalid(f"A condition value cannot be longer than '{LONGEST_VALUE}' characters")
        for network in _values(condition, "SourceIpConfig"):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise invalid(f"'{network}' is not a CIDR block") from None
        for method in _values(condition, "HttpRequestMethodConfig"):
            if not METHOD.fullmatch(method):
                raise invalid(f"'{method}' is not an HTTP method")


def _check_header(config: Mapping[str, Any]) -> None:
    name = str(config.get("HttpHeaderName", ""))
    if config and not HEADER_NAME.fullmatch(name):
        raise invalid(f"'{name}' is not the name of an HTTP header")
    if name.lower() == "host":
        raise invalid("The header 'Host' is compared by a condition of the field 'host-header'")
    if len(name) > LONGEST_HEADER_NAME:
        raise invalid(f"The name of an HTTP header cannot be longer than '{LONGEST_HEADER_NAME}' characters")


def _check_numbers(values: list[object]) -> None:
    if len(values) > MAXIMUM_CONDITION_VALUES:
        raise invalid(f"A rule can only have '{MAXIMUM_CONDITION_VALUES}' condition values")
    wildcards = sum(text.count("*") + text.count("?") for text in _texts(values))
    if wildcards > MAXIMUM_CONDITION_WILDCARDS:
        raise invalid(f"A rule can only have '{MAXIMUM_CONDITION_WILDCARDS}' wildcards in its condition values")


def check_actions(actions: Iterable[Mapping[str, Any]]) -> None:
    """Raise AWS's error for the first action that cannot be served: one that says too little, or what could not be a header."""
    for action in actions:
        kind = str(action.get("Type"))
        config: Mapping[str, Any] = action.get(CONFIGS.get(kind, "")) or {}
        if kind in CONFIGS and not config and not action.get("TargetGroupArn"):
            raise invalid(f"An action of type '{kind}' must have a {CONFIGS[kind]}")
        if kind == "forward" and not action.get("TargetGroupArn") and not config.get("TargetGroups"):
            raise invalid("A target group ARN must be specified")
        groups: list[Mapping[str, Any]] = config.get("TargetGroups") or []
        for group in groups:
            if not 0 <= int(group.get("Weight", 1)) <= 999:
                raise invalid(f"Target group weight '{group['Weight']}' must be between '0' and '999' inclusive")
        if kind == "fixed-response" and config.get("ContentType") not in (None, "", *CONTENT_TYPES):
            raise ELBClientError(
                "InvalidLoadBalancerAction", f"The ContentType must be one of: {', '.join(CONTENT_TYPES)}"
            )
        redirect: Mapping[str, Any] = action.get("RedirectConfig") or {}
        for text in _texts(redirect):
            if any(ord(character) < 33 or ord(character) == 127 for character in text):
                raise invalid(f"{text!r} in a redirect holds a space or a control character")
            if unknown := set(re.findall(r"#\{(\w*)\}", text)) - {"protocol", "host", "port", "path", "query"}:
                raise invalid(f"#{{{unknown.pop()}}} is not a keyword of a redirect")


def check_health_check_port(port: str | None) -> None:
    """Raise AWS's ValidationError unless it is a port, in digits, or the word for each target's own."""
    if port not in (None, "traffic-port") and not (
        re.fullmatch(r"[0-9]{1,5}", str(port)) and 1 <= int(str(port)) <= 65535
    ):
        raise invalid(f"Health check port '{port}' must be 'traffic-port' or between '1' and '65535'")


def _condition_values(condition: Mapping[str, Any]) -> list[object]:
    """What the condition compares with, wherever it stands."""
    configs: list[Mapping[str, Any]] = [value for value in condition.values() if isinstance(value, dict)]
    lists: list[list[object]] = [config.get("Values") or [] for config in (*configs, condition)]
    return next(filter(None, lists), list[object]())


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


def invalid(what: str) -> ELBClientError:
    """AWS's ValidationError."""
    return ELBClientError("ValidationError", f"{what}.")
