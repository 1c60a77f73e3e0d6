"""Rules that would break the configuration of every load balancer are refused when they are made."""

from __future__ import annotations

from typing import Any

import pytest
from moto.elbv2.exceptions import ELBClientError

from slipway.sandbox.traffic.moto_hooks.rule_checks import check_conditions, check_redirects


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
    ("redirect", "fault"),
    [({"Path": "/a b"}, "space or a control character"), ({"Host": "#{hots}"}, "not a keyword of a redirect")],
)
def test_refuses_a_redirect_that_cannot_be_served(redirect: dict[str, str], fault: str) -> None:
    with pytest.raises(ELBClientError, match=fault):
        check_redirects([{"Type": "redirect", "RedirectConfig": redirect}])


def test_conditions_and_redirects_that_aws_documents_are_taken() -> None:
    check_conditions(
        [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/img/*", "/it's/?.js"]}},
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24", "2001:db8::/32"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "User-Agent", "Values": ["*Chrome (X)*"]}},
        ]
    )
    check_redirects([{"Type": "redirect", "RedirectConfig": {"Path": "/new/#{path}", "Query": "#{query}&a=%20"}}])
