"""Rules that would break the configuration of every load balancer are refused when they are made."""

from __future__ import annotations

from typing import Any

import pytest
from moto.elbv2.exceptions import ELBClientError

from slipway.sandbox.traffic.moto_hooks.model_checks import (
    LOAD_BALANCER_ATTRIBUTES,
    TARGET_GROUP_ATTRIBUTES,
    check_attributes,
)
from slipway.sandbox.traffic.moto_hooks.rule_checks import check_actions, check_conditions, check_health_check_port


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ({"Field": "path-pattern", "Values": ["/x\nfrontend evil"]}, "control character"),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x) -m found", "Values": ["a"]}},
            "HTTP header",
        ),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/33"]}}, "CIDR block"),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET }"]}}, "HTTP method"),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "HOST", "Values": ["a"]}}, "'host-header'"),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": list("abcdef")}},
            "can only have '5' condition values",
        ),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "h" * 41, "Values": ["a"]}},
            "cannot be longer than '40'",
        ),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "h" * 40, "Values": ["a" * 129]}},
            "cannot be longer than '128'",
        ),
        ({"Field": "path-pattern", "Values": ["/*/*/*/*", "/?/?/?"]}, "can only have '6' wildcards"),
        ({"PathPatternConfig": {"Values": ["/a"]}}, "needs a field"),
        ({"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/a"]}}, "needs a field and a value"),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a\0", "Value": "b"}]}},
            "control character",
        ),
    ],
)
def test_refuses_a_condition_that_cannot_be_served(condition: dict[str, Any], fault: str) -> None:
    with pytest.raises(ELBClientError, match=fault):
        check_conditions([condition])


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ({"Type": "redirect", "RedirectConfig": {"Path": "/a b"}}, "space or a control character"),
        ({"Type": "redirect", "RedirectConfig": {"Host": "#{hots}"}}, "not a keyword of a redirect"),
        ({"Type": "redirect"}, "must have a RedirectConfig"),
        ({"Type": "fixed-response"}, "must have a FixedResponseConfig"),
        ({"Type": "fixed-response", "FixedResponseConfig": {"ContentType": "image/png"}}, "ContentType must be one of"),
        ({"Type": "forward"}, "must have a ForwardConfig"),
        ({"Type": "forward", "ForwardConfig": {"TargetGroups": []}}, "target group ARN must be specified|must have"),
        ({"Type": "forward", "ForwardConfig": {"TargetGroups": [{"Weight": 1000}]}}, "between '0' and '999'"),
    ],
)
def test_refuses_an_action_that_cannot_be_served(action: dict[str, Any], fault: str) -> None:
    with pytest.raises(ELBClientError, match=fault):
        check_actions([action])


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "٣"])
def test_refuses_a_health_check_on_what_is_no_port(port: str) -> None:
    with pytest.raises(ELBClientError, match="Health check port"):
        check_health_check_port(port)


@pytest.mark.parametrize(
    ("known", "attributes"),
    [
        (LOAD_BALANCER_ATTRIBUTES, {"idle_timeout.timeout_seconds": "0"}),
        (LOAD_BALANCER_ATTRIBUTES, {"idle_timeout.timeout_seconds": "sixty"}),
        (LOAD_BALANCER_ATTRIBUTES, {"idle_timeout.timeout_seconds": "60s\n"}),
        (LOAD_BALANCER_ATTRIBUTES, {"deletion_protection.enabled": "yes"}),
        (LOAD_BALANCER_ATTRIBUTES, {"routing.http.desync_mitigation_mode": "off"}),
        (TARGET_GROUP_ATTRIBUTES, {"load_balancing.algorithm.type": "fastest"}),
        (TARGET_GROUP_ATTRIBUTES, {"deregistration_delay.timeout_seconds": "3601"}),
        (TARGET_GROUP_ATTRIBUTES, {"slow_start.duration_seconds": "29"}),
    ],
)
def test_refuses_an_attribute_value_that_aws_does_not_document(known: Any, attributes: dict[str, str]) -> None:
    with pytest.raises(ELBClientError, match="attribute"):
        check_attributes("Load balancer", known, attributes)


def test_refuses_more_values_than_a_rule_may_have_in_several_conditions() -> None:
    conditions = [
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["a", "b", "c"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}] * 3}},
    ]
    check_conditions(conditions[:1])
    with pytest.raises(ELBClientError, match="can only have '5' condition values"):
        check_conditions(conditions)


def test_conditions_and_redirects_that_aws_documents_are_taken() -> None:
    check_conditions(
        [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/img/*", "/it's/?.js"]}},
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24", "2001:db8::/32"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "User-Agent", "Values": ["*Chrome (X)*"]}},
        ]
    )
    check_actions([{"Type": "redirect", "RedirectConfig": {"Path": "/new/#{path}", "Query": "#{query}&a=%20"}}])
    check_attributes(
        "Load balancer",
        LOAD_BALANCER_ATTRIBUTES,
        {"idle_timeout.timeout_seconds": "4000", "routing.http2.enabled": "false"},
    )
    check_attributes(
        "Target group", TARGET_GROUP_ATTRIBUTES, {"slow_start.duration_seconds": "0", "stickiness.enabled": "false"}
    )
    check_health_check_port("traffic-port")
