"""CI's roles as the foundation made them: an environment is previewed, goes, comes and gets a release by them, judged call by call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slipway.sandbox.environment import sandbox_environment
from tests.identities import ACCOUNT, ROOT, allow, deny, document

if TYPE_CHECKING:
    from story_kit import Slipway

JOB_SECONDS = 300
SETTINGS = {
    "cluster.access.deploy[1]": f"arn:aws:iam::{ACCOUNT}:role/slipway-deploy-dev",
    "cluster.access.preview[0]": f"arn:aws:iam::{ACCOUNT}:role/slipway-preview-dev",
    "service.permissionsBoundary": "slipway-pods",
}
"""As the guide to a real account says; the demo's stack file knows the sandbox's owner alone."""


@contextmanager
def trusted(slipway: Slipway, role: str) -> Generator[str]:
    """The role's ARN, while the account's owner may take it on as well: only GitHub's tokens may."""
    iam = slipway.client("iam")
    found = iam.get_role(RoleName=role)["Role"]
    trust = found["AssumeRolePolicyDocument"]
    owner = {**allow("sts:AssumeRole"), "Principal": {"AWS": ROOT}}
    del owner["Resource"]
    more = {**trust, "Statement": [*trust["Statement"], owner]}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(more))
    try:
        yield found["Arn"]
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))


class Job:
    """One job of CI."""

    def __init__(self, slipway: Slipway, role: str, *without: str) -> None:
        """`without`: rights that it lacks."""
        limits = [allow("*"), *([deny(list(without))] if without else [])]
        with trusted(slipway, role) as arn:
            asked = slipway.client("sts").assume_role(RoleArn=arn, RoleSessionName="job", Policy=document(*limits))
        keys = asked["Credentials"]
        self._slipway = slipway
        self._environment = {
            **os.environ,
            **sandbox_environment(slipway.paths),
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            "AWS_CREDENTIAL_EXPIRATION": keys["Expiration"].isoformat(),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`slipway --no-sandbox`: with the sandbox it would take the owner's credentials."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "slipway.cli",
                "--no-sandbox",
                "--project-dir",
                str(self._slipway.checkout),
                *arguments,
            ],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=JOB_SECONDS,
            check=False,
        )
        self._slipway.said += [done.stdout, done.stderr]
        return done


def well(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_environment_goes_and_comes_by_the_deploy_role_and_by_no_right_less(slipway: Slipway) -> None:
    for key, value in SETTINGS.items():
        well(slipway.pulumi("config", "set", "--path", f"slipway:{key}", value, "--stack", "dev"))
    slipway.run("up", "dev", "--yes")
    preview, deploy = Job(slipway, "slipway-preview-dev"), Job(slipway, "slipway-deploy-dev")
    well(preview.run("preview", "dev"))
    unread = Job(slipway, "slipway-preview-dev", "dynamodb:GetItem").run("preview", "dev")
    assert unread.returncode != 0
    assert "slipway-preview-dev/job is not authorized to perform: dynamodb:GetItem" in unread.stdout + unread.stderr
    well(deploy.run("destroy", "dev", "--yes"))

    refused = preview.run("up", "dev", "--yes")
    assert refused.returncode != 0
    assert "slipway-preview-dev/job is not authorized to perform" in refused.stdout + refused.stderr

    poorer = Job(slipway, "slipway-deploy-dev", "rds:CreateDBInstance").run("up", "dev", "--yes")
    assert poorer.returncode != 0
    assert "slipway-deploy-dev/job is not authorized to perform: rds:CreateDBInstance" in poorer.stdout + poorer.stderr

    assert "to create" in well(preview.run("preview", "dev"))
    well(deploy.run("up", "dev", "--yes"))
    assert "release completed" in well(deploy.run("release", "dev"))
    assert slipway.place("dev")["live"]
