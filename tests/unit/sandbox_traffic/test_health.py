"""The health of a target, check by check."""

from __future__ import annotations

import pytest

from slipway.sandbox.traffic.health import (
    HEALTHY,
    UNUSED,
    Outcome,
    TargetHealth,
    after_check,
    matches,
    serving_targets,
)
from slipway.sandbox.traffic.model import HealthCheck, Target, TargetGroup

CHECK = HealthCheck(healthy_threshold=3, unhealthy_threshold=2)
PASS = Outcome(True)
FAIL = Outcome(False, "Target.Timeout", "Request timed out")
FIRST, SECOND = Target("10.0.0.1", 80), Target("10.0.0.2", 80)


def _states(outcomes: list[Outcome], health: TargetHealth | None = None) -> list[str]:
    health = health or TargetHealth()
    states: list[str] = []
    for outcome in outcomes:
        health = after_check(health, outcome, CHECK)
        states.append(health.state)
    return states


@pytest.mark.parametrize(
    ("outcomes", "states"),
    [
        ([PASS], ["healthy"]),
        ([FAIL, PASS], ["initial", "healthy"]),
        ([FAIL, FAIL, PASS, PASS, PASS], ["initial", "unhealthy", "unhealthy", "unhealthy", "healthy"]),
        ([FAIL, FAIL, PASS, PASS, FAIL, PASS], ["initial", *["unhealthy"] * 5]),
        ([PASS, FAIL, PASS, FAIL, FAIL], ["healthy", "healthy", "healthy", "healthy", "unhealthy"]),
    ],
)
def test_target_state_follows_from_checks_in_a_row(outcomes: list[Outcome], states: list[str]) -> None:
    assert _states(outcomes) == states


def test_reason_is_that_of_the_failed_check() -> None:
    first = after_check(TargetHealth(), FAIL, CHECK)
    assert first.reason == "Elb.InitialHealthChecking"
    second = after_check(first, FAIL, CHECK)
    assert (second.reason, second.description) == ("Target.Timeout", "Request timed out")
    assert after_check(HEALTHY, FAIL, CHECK).reason == ""


@pytest.mark.parametrize(
    ("code", "matcher", "passes"),
    [
        (200, "200", True),
        (201, "200", False),
        (204, "200-299", True),
        (302, "200, 301-302", True),
        (300, "200,301-302", False),
    ],
)
def test_matcher_decides_by_code(code: int, matcher: str, passes: bool) -> None:
    assert matches(code, matcher) is passes


def test_only_healthy_targets_serve_and_all_do_when_none_is_healthy() -> None:
    group = TargetGroup(arn="arn:tg", account="1", region="us-east-1", targets=(FIRST, SECOND), in_use=True)
    assert serving_targets(group, {FIRST: HEALTHY, SECOND: TargetHealth("unhealthy")}) == {FIRST}
    assert serving_targets(group, {FIRST: TargetHealth(), SECOND: TargetHealth("unhealthy")}) == {FIRST, SECOND}
    assert serving_targets(group, {FIRST: UNUSED}) == {FIRST, SECOND}
    empty = TargetGroup(arn="arn:tg", account="1", region="us-east-1", in_use=True)
    assert serving_targets(empty, {}) == frozenset()


def test_target_that_security_groups_close_gets_no_request_even_when_none_is_healthy() -> None:
    group = TargetGroup(
        arn="group", account="1", region="us-east-1", targets=(FIRST, SECOND), closed=frozenset({FIRST})
    )
    assert serving_targets(group, {FIRST: HEALTHY}) == {SECOND}
