"""What AWS refuses of a request by its shape: botocore's model of the API, of which moto checks little, and the documented attributes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sized
from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from moto.elbv2.exceptions import ELBClientError

BOOLEAN = ("true", "false")
WEEK_SECONDS = 7 * 24 * 3600
LOAD_BALANCER_ATTRIBUTES: Mapping[str, Collection[str] | range] = {
    "client_keep_alive.seconds": range(60, WEEK_SECONDS + 1),
    "idle_timeout.timeout_seconds": range(1, 4001),
    "ipv6.deny_all_igw_traffic": BOOLEAN,
    "routing.http.desync_mitigation_mode": ("monitor", "defensive", "strictest"),
    "routing.http.xff_header_processing.mode": ("append", "preserve", "remove"),
}
"""Of application load balancers. Source: LoadBalancerAttribute, Elastic Load Balancing API reference 2015-12-01."""
TARGET_GROUP_ATTRIBUTES: Mapping[str, Collection[str] | range] = {
    "deregistration_delay.timeout_seconds": range(3601),
    "load_balancing.algorithm.anomaly_mitigation": ("on", "off"),
    "load_balancing.algorithm.type": ("round_robin", "least_outstanding_requests", "weighted_random"),
    "load_balancing.cross_zone.enabled": (*BOOLEAN, "use_load_balancer_configuration"),
    "slow_start.duration_seconds": (*map(str, range(30, 901)), "0"),
    "stickiness.app_cookie.duration_seconds": range(1, WEEK_SECONDS + 1),
    "stickiness.lb_cookie.duration_seconds": range(1, WEEK_SECONDS + 1),
    "stickiness.type": ("lb_cookie", "app_cookie"),
}
"""Source: TargetGroupAttribute, in the same place."""


def check_shape(shape: Shape, value: Any, path: str = "") -> None:
    """Raise AWS's ValidationError for the first part of a request that its model does not allow."""
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if value.get(name) is None:
                raise _refused("null", f"{path}.{name}", "not be null")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                check_shape(member, value[name], f"{path}.{name}")
        return
    limits = shape.metadata
    size = _size(value)
    if size is not None and not limits.get("min", size) <= size <= limits.get("max", size):
        raise _refused(value, path, f"be between {limits.get('min', 0)} and {limits.get('max', 'any')}, not {size}")
    if "pattern" in limits and not _matches(limits["pattern"], str(value)):
        raise _refused(value, path, f"satisfy regular expression pattern: {limits['pattern']}")
    if "enum" in limits and value not in limits["enum"]:
        raise _refused(value, path, f"satisfy enum value set: {limits['enum']}")
    if isinstance(shape, ListShape):
        for index, member in enumerate(value, 1):
            check_shape(shape.member, member, f"{path}.{index}.member")


def check_attributes(what: str, known: Mapping[str, Collection[str] | range], attributes: Mapping[str, str]) -> None:
    """Raise AWS's ValidationError for a value that is not documented."""
    for key, value in attributes.items():
        allowed = known.get(key, BOOLEAN if key.endswith(".enabled") else ())
        if isinstance(allowed, range):
            if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) not in allowed:
                limits = f"between '{allowed[0]}-{allowed[-1]}' inclusive"
                raise ELBClientError("ValidationError", f"{what} attribute '{key}' value '{value}' must be {limits}")
        elif allowed and value not in allowed:
            raise ELBClientError("ValidationError", f"{what} attribute '{key}' value '{value}' is not valid")


def _matches(pattern: str, text: str) -> bool:
    """By the rules of AWS's patterns: classes of Unicode, which Python has not, and `$` at the very end only."""
    for theirs, ours in ((r"\p{L}", r"\w"), (r"\p{N}", r"\w"), (r"\p{Z}", " \u00a0\u3000"), ("$", r"\Z")):
        pattern = pattern.replace(theirs, ours)
    return re.search(pattern, text) is not None


def _size(value: Any) -> int | None:
    """What `min` and `max` limit: a number itself, or the length of a text or list."""
    if isinstance(value, int):
        return value
    return len(value) if isinstance(value, Sized) else None


def _refused(value: object, path: str, constraint: str) -> ELBClientError:
    return ELBClientError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{path[1:]}' failed to satisfy constraint: Member must {constraint}",
    )
