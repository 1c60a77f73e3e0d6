"""The health of a target, as a state machine without a clock or a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from slipway.sandbox.traffic.model import HealthCheck, HealthState, Target, TargetGroup


@dataclass(frozen=True)
class Outcome:
    """What one check saw."""

    passed: bool
    reason: str = ""
    """AWS's reason code of a failure."""
    description: str = ""


@dataclass(frozen=True)
class TargetHealth:
    """State of one target, with AWS's reason code and words."""

    state: HealthState = "initial"
    reason: str = "Elb.RegistrationInProgress"
    description: str = "Target registration is in progress"
    passes: int = 0
    """In a row."""
    failures: int = 0
    """In a row."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept across restarts."""
        return asdict(self)


TIMEOUT = Outcome(False, "Target.Timeout", "Request timed out")
HEALTHY = TargetHealth("healthy", "", "")
UNUSED = TargetHealth(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
NOT_REGISTERED = TargetHealth("unused", "Target.NotRegistered", "Target is not registered to the target group")
DRAINING = TargetHealth("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
UNCHECKED = TargetHealth("unavailable", "Target.HealthCheckDisabled", "Health checks are disabled for this target")


def after_check(health: TargetHealth, outcome: Outcome, check: HealthCheck) -> TargetHealth:
    """The health that follows from one more check.

    A new target is healthy after its first passed check; later it takes `healthy_threshold` of them.
    Source: "Health checks for Application Load Balancer target groups", AWS.
    """
    if outcome.passed:
        passes = health.passes + 1
        if health.state == "unhealthy" and passes < check.healthy_threshold:
            return replace(health, passes=passes, failures=0)
        return replace(HEALTHY, passes=passes)
    failures = health.failures + 1
    if failures >= check.unhealthy_threshold:
        return TargetHealth("unhealthy", outcome.reason, outcome.description, 0, failures)
    if health.state == "initial":
        return TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress", 0, failures)
    return replace(health, passes=0, failures=failures)


def matches(code: int, matcher: str) -> bool:
    """Whether a status code passes: `200`, `200,202` or `200-299`."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= code <= int(last or first):
            return True
    return False


def serving_targets(group: TargetGroup, healths: Mapping[Target, TargetHealth]) -> frozenset[Target]:
    """Who gets requests: the healthy targets, or, when none is healthy, all of them.

    An ALB fails open like that within a target group, and never moves the share of one group to another.
    Closed targets get nothing: the answer is 503 here, and after a while 504 on AWS.
    Source: "Target group health", AWS: `target_group_health.unhealthy_state_routing.minimum_healthy_targets.count` is 1.
    """
    reached = frozenset(group.targets) - group.closed
    if not group.health_check.enabled:
        return reached
    healthy = frozenset(target for target in reached if healths.get(target, UNUSED).state == "healthy")
    return healthy or reached
