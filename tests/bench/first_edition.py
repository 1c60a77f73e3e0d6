"""The first edition's `infra/` and `components/` on today's sandbox: up to which refusal a release of theirs gets.

Runs on the sandbox, in its environment (`eval "$(slipway sandbox env)"`), in a stack of its own, which it removes at the end.
A refusal with a known remedy is noted, the remedy applied from outside, and the release goes on to the next one.
"""

from __future__ import annotations

import argparse
import io
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import yaml
from botocore.exceptions import ClientError
from rich.console import Console

from slipway.errors import SlipwayError
from slipway.stack import PulumiStack, find_cli

COMMIT = "d1278b1c8c210ead7559a79dfed81b6caa929bf9"
PARTS = ("Pulumi.yaml", "Pulumi.dev.yaml", "app", "components", "infra")
"""None of them imports `slipway`."""
ROOT = Path(__file__).parents[2]
STACK, SERVICE, TABLE = "old", "first", "first-edition"
"""Neither an environment of the demo nor its service: both may be on the sandbox."""
CIDR = "10.62.0.0/16"
CANDIDATE = "green"
HEALTH_SECONDS = 120
"""Health checks are 5 seconds apart, and two in a row decide."""
PAUSE_SECONDS = 3
MIGRATION_SECONDS = 120
STREAK = 3
ORIGIN_IS_UNKNOWN = f"this clone has no commit {COMMIT[:7]}: fetch the whole history (git fetch --unshallow)"


def _aws(service: str) -> Any:
    return boto3.client(service)


class RefusedError(Exception):
    """Something would not have the first edition's release; the message is its own words."""


def history_of(root: Path) -> bytes | None:
    """The first edition's files as a tar archive; None where the clone has no such commit."""
    done = subprocess.run(
        ["git", "-C", str(root), "archive", COMMIT, *PARTS], capture_output=True, check=False, timeout=60
    )
    return None if done.returncode else done.stdout


def unpack(archive: bytes, folder: Path) -> None:
    """Its files, a stack file like dev's, and today's Python packages."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    settings = yaml.safe_load((folder / "Pulumi.dev.yaml").read_text())
    config = settings["config"]
    config["slipway:ledgerTable"] = TABLE
    config["slipway:network"]["cidr"] = CIDR
    config["slipway:service"]["name"] = SERVICE
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(settings))
    (folder / ".venv").symlink_to(sys.prefix)


def settings_of(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What Pulumi needs beside the sandbox's environment. Never on AWS: the endpoint must be this machine."""
    host = urlsplit(environ.get("AWS_ENDPOINT_URL", "")).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local or not environ.get("PULUMI_DEBUG_PROVIDERS"):
        raise SystemExit('this is for the sandbox: start it, then eval "$(.venv/bin/slipway sandbox env)"')
    (folder / "state").mkdir()
    (folder / "passphrase").write_text("of no secret that outlives this run")
    return {
        "PULUMI_BACKEND_URL": f"{(folder / 'state').as_uri()}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "passphrase"),
        "PULUMI_CONTINUE_ON_ERROR": "true",  # not only the first refusal
        "PYTHONPATH": str(folder / "project"),  # its components, not ours
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


class FirstEdition:
    """One release, as the first edition's delivery did it: `up`, image, migrations, pods, health, smoke test, traffic."""

    def __init__(self, project: Path, say: Callable[[str], None]) -> None:
        self._project, self._say = project, say
        self._stack = PulumiStack(find_cli, project, STACK, adopts_creates=True, say=say)
        self._release: dict[str, str] = {}
        self.steps: Mapping[str, Callable[[], None]] = {
            "pulumi up, without a release": self._up,
            "migrations": self._migrate,
            "pulumi up, with the release's pods": self._up_with_release,
            "health at the load balancer": self._healthy,
            "smoke test over the test listener": self._smoke,
            "traffic": self._shift,
        }
        self.remedies: Mapping[str, tuple[str, Callable[[], None]]] = {
            "health at the load balancer": ("a rule that lets the load balancer reach the pods", self._let_in)
        }

    # -- steps

    def _up(self) -> None:
        try:
            self._dynamodb.create_table(
                TableName=TABLE,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                BillingMode="PAY_PER_REQUEST",
            )
        except self._dynamodb.exceptions.ResourceInUseException:
            self._say(f"the table {TABLE} is left from a run before")
        self._want(release=None)
        self._pulumi_up()
        image = self._delivery["image"]["reference"]
        self._release = {"release": f"{STACK}-{time.time_ns():x}", "version": "1.0.0", "image": image}

    def _migrate(self) -> None:
        (database,) = (
            each
            for each in _aws("rds").describe_db_instances()["DBInstances"]
            if each["DBInstanceIdentifier"].startswith(f"{SERVICE}-{STACK}-")
        )
        secret = _aws("secretsmanager").get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])
        login = json.loads(secret["SecretString"])
        app = self._project / "app"
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=app,
            env={
                **os.environ,
                "PYTHONPATH": str(app),
                "DATABASE_HOST": database["Endpoint"]["Address"],
                "DATABASE_PORT": str(database["Endpoint"]["Port"]),
                "DATABASE_NAME": database["DBName"],
                "DATABASE_USER": login["username"],
                "DATABASE_PASSWORD": login["password"],
            },
            capture_output=True,
            text=True,
            timeout=MIGRATION_SECONDS,
            check=False,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "Error" in line]
            raise RefusedError(lines[-1] if lines else done.stderr)

    def _up_with_release(self) -> None:
        self._want(release=self._release)
        self._pulumi_up()

    def _healthy(self) -> None:
        deadline = time.monotonic() + HEALTH_SECONDS
        while True:
            found = _aws("elbv2").describe_target_health(TargetGroupArn=self._balancer["targetGroups"][CANDIDATE])
            healths: list[Any] = [each["TargetHealth"] for each in found["TargetHealthDescriptions"]]
            if healths and all(each["State"] == "healthy" for each in healths):
                return
            if time.monotonic() > deadline:
                words = sorted({f"{each['State']}: {each['Reason']}, {each['Description']}" for each in healths})
                raise RefusedError(
                    f"{len(healths)} targets of {CANDIDATE} after {HEALTH_SECONDS} s; {'; '.join(words)}"
                )
            time.sleep(PAUSE_SECONDS)

    def _smoke(self) -> None:
        for _ in range(STREAK):
            self._answers(self._balancer["testUrl"])

    def _shift(self) -> None:
        shares = [
            {"TargetGroupArn": arn, "Weight": 100 if colour == CANDIDATE else 0}
            for colour, arn in self._balancer["targetGroups"].items()
        ]
        _aws("elbv2").modify_listener(
            ListenerArn=self._balancer["listenerArn"],
            DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}],
        )
        self._answers(self._balancer["url"])

    # -- remedies

    def _let_in(self) -> None:
        cluster = _aws("eks").describe_cluster(name=self._delivery["cluster"]["name"])["cluster"]
        (balancer,) = _aws("elbv2").describe_load_balancers(LoadBalancerArns=[self._balancer["arn"]])["LoadBalancers"]
        rule = {
            "IpProtocol": "tcp",
            "FromPort": 8080,
            "ToPort": 8080,
            "UserIdGroupPairs": [{"GroupId": group} for group in balancer["SecurityGroups"]],
        }
        group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
        _aws("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    # -- how

    @property
    def _dynamodb(self) -> Any:
        return _aws("dynamodb")

    @property
    def _delivery(self) -> Any:
        return self._stack.outputs()["delivery"]

    @property
    def _balancer(self) -> Any:
        return self._delivery["loadBalancer"]

    def _pulumi_up(self) -> None:
        try:
            self._stack.up()
        except SlipwayError as error:
            raise RefusedError(str(error)) from error

    def _want(self, *, release: Mapping[str, str] | None) -> None:
        document = {
            "live": None,
            "test": CANDIDATE,
            "colours": {"blue": None, CANDIDATE: release},
            "weights": {"blue": 100, CANDIDATE: 0},
        }
        item = {"pk": f"{STACK}#{SERVICE}", "sk": "wanted", "document": json.dumps(document)}
        self._dynamodb.put_item(TableName=TABLE, Item={key: {"S": value} for key, value in item.items()})

    def _answers(self, base: str) -> None:
        try:
            answer = httpx.get(f"{base}/version", timeout=10)
        except httpx.HTTPError as error:
            raise RefusedError(f"GET {base}/version: {type(error).__name__}: {error}") from error
        if not answer.is_success or answer.json()["release"] != self._release["release"]:
            raise RefusedError(f"GET {base}/version: {answer.status_code} {answer.text[:200]}")

    def remove(self) -> None:
        """All of it."""
        self._stack.destroy()
        self._dynamodb.delete_table(TableName=TABLE)


def release(edition: FirstEdition, say: Callable[[str], None]) -> list[str]:
    """Take each step; what was refused, in order. The last one has no remedy here, or the release went through after it."""
    refusals: list[str] = []
    for step, take in edition.steps.items():
        try:
            take()
            say(f"  {step}: passed")
        except (RefusedError, ClientError) as error:
            refusals.append(step)
            say(f"  {step}: REFUSED: {error}")
            if step not in edition.remedies:
                return refusals
            remedy, apply = edition.remedies[step]
            apply()
            try:
                take()
            except (RefusedError, ClientError) as still:
                say(f"    with {remedy}: still refused: {still}")
                return refusals
            say(f"    with {remedy}: passed")
    return refusals


def main(arguments: Sequence[str]) -> None:
    """Exit code 0 when it was refused, as it should be; 1 when a release of the first edition got through."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.first_edition", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything on the sandbox, to look at")
    keep: bool = parser.parse_args(arguments).keep
    console = Console(soft_wrap=True, width=140, highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False)

    archive = history_of(ROOT)
    if archive is None:
        raise SystemExit(ORIGIN_IS_UNKNOWN)
    folder = Path(tempfile.mkdtemp(prefix="first-edition-"))
    os.environ |= settings_of(os.environ, folder)
    unpack(archive, folder / "project")
    say(f"infra/ and components/ of {COMMIT[:7]}, in {folder}")
    edition = FirstEdition(folder / "project", say)
    try:
        refusals = release(edition, say)
    finally:
        if not keep:
            edition.remove()
            shutil.rmtree(folder)
    say(f"refused at: {', '.join(refusals) or 'nothing; a release got through'}")
    sys.exit(not refusals)


if __name__ == "__main__":
    main(sys.argv[1:])
