"""Which headers reach an existing API server, and which requests may last."""

from __future__ import annotations

import pytest

from slipway.sandbox.kubernetes.existing.headers import (
    User,
    answer_headers,
    bearer_token,
    impersonation,
    is_long_running,
    request_headers,
)

ADA = User(name="ada", groups=("eks:access:view",))
OWN = [(b"host", b"10.0.0.1:6443"), (b"impersonate-user", b"ada"), (b"impersonate-group", b"eks:access:view")]


def passed_on(*given: tuple[bytes, bytes], credentials: dict[str, str] | None = None) -> list[tuple[bytes, bytes]]:
    return request_headers(given, host="10.0.0.1:6443", credentials=credentials or {}, user=ADA)


@pytest.mark.parametrize(
    "claim",
    [
        b"impersonate-user",
        b"impersonate-group",
        b"impersonate-uid",
        b"impersonate-extra-scopes",
        b"x-remote-user",
        b"x-remote-group",
        b"authorization",
    ],
)
def test_clients_own_claim_never_passes(claim: bytes) -> None:
    assert passed_on((claim, b"system:masters"), (b"host", b"evil")) == OWN


def test_credentials_of_the_kubeconfig_replace_the_clients() -> None:
    given = passed_on((b"authorization", b"Bearer client"), credentials={"Authorization": "Bearer admin"})
    assert [value for name, value in given if name == b"authorization"] == [b"Bearer admin"]


def test_length_gives_way_when_the_body_is_chunked() -> None:
    given = passed_on((b"content-length", b"5"), (b"transfer-encoding", b"chunked"))
    assert b"content-length" not in dict(given)
    assert dict(given)[b"transfer-encoding"] == b"chunked"


def test_connection_headers_pass_only_when_the_protocol_is_switched() -> None:
    assert passed_on((b"connection", b"keep-alive, x-remote-user"), (b"keep-alive", b"5")) == OWN
    switching = passed_on((b"connection", b"upgrade, foo"), (b"upgrade", b"SPDY/3.1"))
    assert switching == [*OWN, (b"connection", b"Upgrade"), (b"upgrade", b"SPDY/3.1")]


def test_extra_fields_are_written_as_an_api_server_reads_them() -> None:
    user = User(name="ada", groups=(), extra={"example.org/Scope": ("a", "b")})
    assert impersonation(user)[1:] == [
        (b"impersonate-extra-example.org%2Fscope", b"a"),
        (b"impersonate-extra-example.org%2Fscope", b"b"),
    ]


def test_answer_loses_only_what_speaks_of_the_connection() -> None:
    given = [(b"connection", b"close"), (b"audit-id", b"1"), (b"content-length", b"2")]
    assert answer_headers(given) == [(b"audit-id", b"1"), (b"content-length", b"2")]


@pytest.mark.parametrize(
    ("value", "token"),
    [(b"Bearer abc", "abc"), (b"bearer  abc ", "abc"), (b"Basic abc", ""), (b"Bearer", ""), (b"", "")],
)
def test_token_is_read_from_a_bearer_header_only(value: bytes, token: str) -> None:
    assert bearer_token([(b"authorization", value)]) == token


@pytest.mark.parametrize(
    ("target", "lasts"),
    [
        ("/api/v1/pods?watch=true", True),
        ("/api/v1/pods?watch=1&limit=5", True),
        ("/api/v1/pods?watch=false", False),
        ("/api/v1/watch/pods", True),
        ("/api/v1/namespaces/a/pods/b/log?follow=true", True),
        ("/api/v1/namespaces/a/pods/b/exec?command=sh", True),
        ("/api/v1/namespaces/a/pods/b/portforward", True),
        ("/apis/apps/v1/namespaces/a/deployments/b", False),
        ("/readyz", False),
    ],
)
def test_only_watches_and_sessions_may_stay_silent(target: str, lasts: bool) -> None:
    assert is_long_running(target) is lasts
