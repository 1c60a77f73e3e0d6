"""The attributes that AWS documents, which are in no model of the API."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

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
