"""The sandbox's `aws eks get-token` against the AWS CLI's own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from awscli.customizations.eks.get_token import STSClientFactory, TokenGenerator

from slipway.sandbox.kubernetes import get_token
from slipway.sandbox.kubernetes.get_token import plain_options, presign

ENDPOINT = "http://127.0.0.1:4566"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalr/EXAMPLE+KEY",
    "AWS_ENDPOINT_URL": ENDPOINT,
}


@pytest.mark.parametrize("session", ["", "FwoGZXIvYXdz//+=="])
def test_url_is_the_one_that_the_aws_cli_signs(monkeypatch: pytest.MonkeyPatch, session: str) -> None:
    for name, value in {**CREDENTIALS, **({"AWS_SESSION_TOKEN": session} if session else {})}.items():
        monkeypatch.setenv(name, value)
    client = STSClientFactory(botocore.session.Session()).get_sts_client(region_name="eu-west-1")
    token = TokenGenerator(client).get_token("shop-dev").removeprefix("k8s-aws-v1.")
    theirs = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    stamp = parse_qs(urlsplit(theirs).query)["X-Amz-Date"][0]
    key, secret = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    ours = presign(
        ENDPOINT, key=key, secret=secret, session=session, region="eu-west-1", cluster="shop-dev", stamp=stamp
    )
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(theirs).query)
    assert ours.partition("?")[0] == theirs.partition("?")[0]


@pytest.mark.parametrize(
    "typed",
    [
        "eks list-clusters",
        "eks get-token --cluster-name c --role-arn r",
        "eks get-token --cluster-name c --output text",
        "eks get-token --region r",
        "eks get-token --cluster-name",
        "s3 ls",
    ],
)
def test_everything_else_is_left_to_the_aws_cli(typed: str) -> None:
    assert plain_options(typed.split()) is None


def test_command_answers_or_becomes_the_aws_cli(tmp_path: Path) -> None:
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\necho "the CLI: $*"\n')
    aws.chmod(0o755)
    command = [sys.executable, "-I", "-S", get_token.__file__, str(aws)]
    typed = ["eks", "get-token", "--cluster-name", "c", "--region", "r", "--output", "json"]

    def said(**environ: str) -> str:
        return subprocess.run(
            [*command, *typed], env={**os.environ, **environ}, capture_output=True, text=True, check=True, timeout=30
        ).stdout

    assert json.loads(said(**CREDENTIALS))["status"]["token"].startswith("k8s-aws-v1.")
    assert said(**CREDENTIALS, AWS_PROFILE="other") == f"the CLI: {' '.join(typed)}\n"
