"""AWS tokens at the API server: what lets in, and every way of not being let in."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from slipway.sandbox.aws.callers import Caller
from slipway.sandbox.aws.token_review import Identity, review

SECRET = "ada's secret"
CALLER = "arn:aws:iam::123456789012:user/ada"
CALLERS = {"AKIAADA": Caller(arn=CALLER, secret_key=SECRET)}


def token(
    *,
    cluster: str = "dev",
    access_key: str = "AKIAADA",
    secret: str = SECRET,
    action: str = "GetCallerIdentity",
) -> str:
    """As `aws eks get-token` makes it, by botocore's own signer."""
    address = f"http://127.0.0.1:4566/?Action={action}&Version=2011-06-15"
    request = AWSRequest("GET", address, headers={"x-k8s-aws-id": cluster})
    SigV4QueryAuth(Credentials(access_key, secret), "sts", "us-east-1", expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


def status_of(text: str, *, cluster: str = "dev", minutes_later: float = 0, admitted: bool = True) -> dict[str, Any]:
    def identity_of(_cluster: str, caller: str) -> Identity | None:
        return Identity(username=caller, groups=("eks:access:view",), arn=caller) if admitted else None

    now = datetime.now(UTC) + timedelta(minutes=minutes_later)  # botocore signs with the real time
    answer = review({"spec": {"token": text}}, cluster, caller_of=CALLERS.get, identity_of=identity_of, now=now)
    return answer["status"]


def test_caller_is_let_in_when_the_token_is_signed_for_the_cluster() -> None:
    user = {"username": CALLER, "groups": ["eks:access:view"], "extra": {"arn": [CALLER]}}
    assert status_of(token()) == {"authenticated": True, "user": user}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a token"),
        ("k8s-aws-v1.###", "malformed token"),
        ("k8s-aws-v1." + base64.urlsafe_b64encode(b"http://x/?Action=GetCallerIdentity").decode(), "malformed token"),
        ("k8s-aws-v1." + "A" * 20_000, "not a token"),
        (token(cluster="prod"), "for another cluster"),
        (token(secret="guessed"), "signature is wrong"),
        (token(access_key="AKIANOBODY"), "AKIANOBODY is not known"),
        (token(action="AssumeRole"), "not a signed GetCallerIdentity"),
    ],
)
def test_refuses_a_token_that_is_not_the_callers_own_for_this_cluster(text: str, why: str) -> None:
    status = status_of(text)
    assert status["authenticated"] is False
    assert why in status["error"]


def test_refuses_a_token_after_fifteen_minutes() -> None:
    assert status_of(token(), minutes_later=14)["authenticated"] is True
    assert "good for 15 minutes" in status_of(token(), minutes_later=16)["error"]


def test_refuses_a_token_that_does_not_sign_the_cluster() -> None:
    request = AWSRequest("GET", "http://127.0.0.1:4566/?Action=GetCallerIdentity")
    SigV4QueryAuth(Credentials("AKIAADA", SECRET), "sts", "us-east-1", expires=60).add_auth(request)
    text = "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")
    assert "does not sign" in status_of(text)["error"]


def test_refuses_a_caller_without_an_access_entry() -> None:
    assert status_of(token(), admitted=False)["error"] == f"{CALLER} has no access entry in cluster dev"
