"""`slipway doctor` on the sandbox's API, as it is typed: what the sandbox lacks is told, and is no failure."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from botocore.config import Config

from slipway.cli.session import Session
from slipway.doctor import account, read_project
from slipway.doctor.prices import estimate_costs
from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths
from tests.command import run_slipway

from .conftest import ApiDaemon

NOW = datetime(2026, 11, 27, tzinfo=UTC)
"""When the stack files' Kubernetes version was in standard support."""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def doctor(
    daemon: ApiDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Runs it on a copy of this repository's stack files."""
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws_credentials(SandboxPaths(daemon.home)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", daemon.url)
    monkeypatch.setattr("slipway.cli.doctor.datetime", SimpleNamespace(now=lambda _zone: NOW))
    # This daemon has another port than the sandbox that --sandbox means.
    monkeypatch.setattr(Session, "activate", lambda _session, _environment: None)

    def run(*options: str) -> tuple[int, str, str]:
        code = run_slipway(monkeypatch, "-C", str(tmp_path), "--sandbox", "doctor", "dev", *options)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_what_the_sandbox_lacks_could_not_be_asked_and_the_rest_is_as_it_should_be(doctor: Callable[..., Any]) -> None:
    code, out, err = doctor("--json")
    findings = json.loads(out)
    assert (code, err) == (0, "")
    states = {
        check: {each["state"] for each in findings if each["check"] == check}
        for check in [f["check"] for f in findings]
    }
    assert states == {
        "identity": {"ok"},
        "names": {"ok"},
        "stack files": {"ok"},
        "account": {"warning"},  # the sandbox has one for dev and prod
        "cost": {"ok"},
        "permissions": {"ok"},
        "quotas": states["quotas"],
        "zones": {"ok"},
        "Kubernetes": {"ok"},
        "domain": {"ok"},
        "VPCs": {"ok"},
    }
    assert "could not be asked" in states["quotas"]
    assert "failure" not in states["quotas"]


def write_setting(folder: Path, key: str, value: object, environment: str = "dev") -> None:
    """One setting of a stack file."""
    file = folder / f"Pulumi.{environment}.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"][f"slipway:{key}"] = value
    file.write_text(yaml.safe_dump(document))


def test_environment_that_lacks_nothing_is_said_to(doctor: Callable[..., Any], tmp_path: Path) -> None:
    write_setting(tmp_path, "accountId", "210987654321", "prod")
    code, out, err = doctor()
    assert (code, err) == (0, "")
    assert re.fullmatch(r"No failure: \d+ ok, \d+ could not be asked", out.splitlines()[-1])
    dev = sum(cost.usd_per_month or 0 for cost in estimate_costs(read_project(ROOT, "dev").facts))
    assert f"about {dev:.0f} USD a month before traffic" in out


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "accountId",
            "210987654321",
            "identity: .*; the stack file says 210987654321 → use credentials of 210987654321",
        ),
        ("service", {"name": "a-service-whose-name-is-long"}, "names: .* characters; 32 are allowed → make the names"),
        (
            "network",
            {"cidr": "10.20.0.0/16", "zones": 7},
            "zones: 7 zones are wanted; us-east-1 offers .* → set slipway",
        ),
        (
            "cluster",
            {"version": "1.20"},
            "Kubernetes: EKS does not offer .* 1.20 → set slipway:cluster.version to one in",
        ),
        ("cluster", {"version": "1.35", "nodes": {"instanceType": "t9.big"}}, "zones: no t9.big in us-east-1a, .* → "),
        (
            "loadBalancer",
            {"certificateArn": "arn"},
            "domain: the certificate is not for .* → set slipway:service.domain",
        ),
        (
            "service",
            {"name": "orders", "domain": "a.example.com"},
            "domain: no public hosted zones .* → create example.com",
        ),
    ],
)
def test_failure_is_one_line_with_its_remedy_and_ends_with_exit_code_1(
    doctor: Callable[..., Any], tmp_path: Path, key: str, value: object, says: str
) -> None:
    write_setting(tmp_path, key, value)
    code, out, err = doctor()
    assert code == 1
    assert re.search(f"^failure +{says}", out, re.MULTILINE), out
    assert re.match(r"error: \d of \d+ findings would make an `up` or a release fail", err)


def test_domain_with_its_hosted_zone_is_fine(
    doctor: Callable[..., Any], tmp_path: Path, aws: Callable[..., Any]
) -> None:
    aws("route53").create_hosted_zone(Name="shop.example", CallerReference="doctor")
    write_setting(tmp_path, "service", {"name": "orders", "domain": "orders.shop.example"})
    code, out, _ = doctor()
    assert code == 0
    assert "domain: orders.shop.example gets its record in the hosted zone shop.example" in out


def test_address_range_that_others_have_is_a_warning(
    doctor: Callable[..., Any], tmp_path: Path, aws: Callable[..., Any]
) -> None:
    vpc = aws("ec2").create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    write_setting(tmp_path, "network", {"cidr": "10.77.0.0/20"})
    write_setting(tmp_path, "cluster", {"version": "1.35"})
    shutil.copy(tmp_path / "Pulumi.dev.yaml", tmp_path / "Pulumi.twin.yaml")
    code, out, _ = doctor()
    assert code == 0
    assert f"VPCs: 10.77.0.0/20 overlaps 10.77.0.0/16 of {vpc} → choose another" in out
    assert "stack files: 10.77.0.0/20 overlaps 10.77.0.0/20 of twin → choose another" in out


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try of a moment."""
    monkeypatch.setattr(
        account, "CONFIG", Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
    )


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"AWS_ENDPOINT_URL": "{silent}"},
            "AWS does not answer: sts:GetCallerIdentity: Read timeout .* → check network, proxy",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            "AWS does not answer: .* Could not connect .* → check network, proxy",
        ),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "no valid credentials: .*nowhere"),
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "no valid credentials: .* → log in to account 123456789012"),
        ({"AWS_ACCESS_KEY_ID": ""}, "no valid credentials: .*Unable to locate credentials → log in to account"),
        (
            {"AWS_PROFILE": "lost"},
            "no valid credentials: .*lost.* → log in to account 123456789012, and check AWS_PROFILE",
        ),
    ],
    ids=["silent", "closed", "no URL", "unknown key", "no key", "unknown profile"],
)
@pytest.mark.usefixtures("impatient")
def test_account_that_does_not_answer_is_one_line(
    doctor: Callable[..., Any], silent: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(silent=silent))
    code, out, err = doctor()
    assert code == 1
    assert re.match(f"failure +identity: {says}", out), out
    # What needs no account is told, the rest could not be asked.
    assert [line.split(":")[0].split()[0] for line in out.splitlines()[1:]] == ["ok"] * 2 + ["warning", "ok"] + [
        "could"
    ] * 6
    assert err.startswith("error: 1 of 11 findings")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [(["lost"], 2, "no environment 'lost'"), (["dev", "--jsn"], 2, "No such option"), ([], 2, "Missing argument")],
)
def test_refuses_what_it_cannot_examine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    assert run_slipway(monkeypatch, "-C", str(ROOT), "doctor", *arguments) == code
    assert says in capsys.readouterr().err
