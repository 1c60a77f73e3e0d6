"""Which exec credentials are answered in this process, and which are left to their command."""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from slipway.sandbox.providers.kubernetes.credentials import CredentialError, ExecSource
from slipway.sandbox.providers.kubernetes.eks_token import answer_get_token

PLAIN = ["eks", "get-token", "--cluster-name", "orders", "--region", "eu-west-1", "--output", "json"]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))


def test_token_is_a_presigned_request_that_names_the_cluster_in_a_signed_header() -> None:
    answered = answer_get_token({"command": "aws"}, PLAIN)
    assert answered is not None
    token, expires = answered
    encoded = token.removeprefix("k8s-aws-v1.")
    url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    query = parse_qs(url.query)
    assert (url.netloc, query["Action"]) == ("127.0.0.1:4566", ["GetCallerIdentity"])
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Credential"][0].startswith("AKIDEXAMPLE/")
    assert "/eu-west-1/sts/" in query["X-Amz-Credential"][0]
    assert timedelta(minutes=13) < expires - datetime.now(UTC) < timedelta(minutes=15)
    # Not proven: that a cluster takes it, and that the command's own token is the same; see the end-to-end tests.


@pytest.mark.parametrize(
    ("section", "arguments"),
    [
        ({}, [*PLAIN, "--role-arn", "arn:aws:iam::1:role/deploy"]),
        ({}, [*PLAIN, "--profile"]),
        ({}, [*PLAIN[:-1], "text"]),
        ({}, ["eks", "get-token", "--region", "eu-west-1"]),
        ({}, [*PLAIN, "--cluster-name", "other"]),
        ({}, ["eks", "describe-cluster", "--name", "orders"]),
        ({"env": [{"name": "AWS_PROFILE", "value": "deploy"}]}, PLAIN),
        ({"provideClusterInfo": True}, PLAIN),
        ({"command": "aws-iam-authenticator"}, PLAIN),
    ],
)
def test_command_is_run_for_whatever_is_not_plainly_this_one(section: dict[str, Any], arguments: list[str]) -> None:
    assert answer_get_token({"command": "aws", **section}, arguments) is None


def test_command_is_run_when_another_aws_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aws").write_text("#!/bin/sh\n")
    (tmp_path / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert answer_get_token({"command": "aws"}, PLAIN) is None


def test_command_is_run_when_the_cli_has_plugins(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[plugins]\nmine = my.plugin\n")
    assert answer_get_token({"command": "aws"}, PLAIN) is None


def test_command_tells_in_its_own_words_that_there_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert answer_get_token({"command": "aws"}, PLAIN) is None


def test_refused_token_is_made_anew_and_a_good_one_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["first", "second"])
    soon = datetime.now(UTC) + timedelta(minutes=14)
    monkeypatch.setattr(
        "slipway.sandbox.providers.kubernetes.credentials.answer_get_token", lambda *_: (next(tokens), soon)
    )
    source = ExecSource({"command": "aws", "args": PLAIN}, {"server": "https://made-anew:6443"})
    assert [source.credential().token, source.credential().token] == ["first", "first"]
    assert source.credential(renew=True).token == "second"


def test_refuses_a_command_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = ExecSource({"command": "aws", "args": PLAIN}, {"server": json.dumps("gone")})
    with pytest.raises(CredentialError, match="'aws' is not on PATH"):
        source.credential()
