"""An unmodified pulumi-aws program through the engine: up, nothing to do, refresh, a change, destroy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from slipway.engine import Engine
from slipway.sandbox.providers.aws import AwsProvider


def program(weights: tuple[int, int]) -> Callable[[], None]:
    """A load balancer with two colours, a role and a table, as people write them."""

    def run() -> None:
        zones = aws.get_availability_zones(state="available").names
        vpc = aws.ec2.Vpc("net", cidr_block="10.60.0.0/16", tags={"Name": "net"})
        subnets = [
            aws.ec2.Subnet(f"net-{zone}", vpc_id=vpc.id, cidr_block=f"10.60.{index}.0/24", availability_zone=zone)
            for index, zone in enumerate(zones[:2])
        ]
        balancer = aws.lb.LoadBalancer("web", subnets=[subnet.id for subnet in subnets])
        colours = {
            colour: aws.lb.TargetGroup(colour, port=80, protocol="HTTP", target_type="ip", vpc_id=vpc.id)
            for colour in ("blue", "green")
        }
        shares = [
            aws.lb.ListenerDefaultActionForwardTargetGroupArgs(arn=group.arn, weight=weight)
            for group, weight in zip(colours.values(), weights, strict=True)
        ]
        forward = aws.lb.ListenerDefaultActionForwardArgs(target_groups=shares)
        aws.lb.Listener(
            "web",
            load_balancer_arn=balancer.arn,
            port=80,
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="forward", forward=forward)],
        )
        statement = aws.iam.GetPolicyDocumentStatementArgs(
            actions=["sts:AssumeRole"],
            principals=[
                aws.iam.GetPolicyDocumentStatementPrincipalArgs(type="Service", identifiers=["eks.amazonaws.com"])
            ],
        )
        trust = aws.iam.get_policy_document(statements=[statement]).json
        role = aws.iam.Role("eks", assume_role_policy=trust)
        secret = aws.secretsmanager.Secret("token")
        aws.secretsmanager.SecretVersion(
            "token", secret_id=secret.id, secret_string=pulumi.Output.secret("s3cr3t-value")
        )
        pulumi.export("dns", balancer.dns_name)
        pulumi.export("role", role.arn)
        pulumi.export("account", aws.get_caller_identity().account_id)

    return run


@pytest.fixture
def project(provider: AwsProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with a stack `dev`, and the environment to run it in."""
    session = provider._configured()  # pyright: ignore[reportPrivateUsage]
    environ = {
        "AWS_ENDPOINT_URL": session.settings.endpoint_url,
        "AWS_REGION": "us-east-1",
        "PULUMI_CONFIG_PASSPHRASE": "a passphrase",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("config:\n  aws:region: us-east-1\n")
    return project


@pytest.fixture
def engine(project: Path) -> Callable[[tuple[int, int]], Engine]:
    """The stack `dev` of one project, for any weights."""
    return lambda weights: Engine(project, "dev", providers={"aws": AwsProvider}, program=program(weights))


def changes(result: Any) -> dict[str, int]:
    """How many steps of each kind."""
    return {op: count for op, count in result.changes.items() if count}


def test_program_lives_its_life_when_run_by_the_engine(
    engine: Callable[[tuple[int, int]], Engine], tmp_path: Path
) -> None:
    preview = engine((100, 0)).preview()
    assert set(changes(preview)) == {"create"}
    first = engine((100, 0)).up()
    assert changes(first) == changes(preview)
    assert first.outputs["account"] == "123456789012"
    total = sum(changes(first).values())
    assert changes(engine((100, 0)).up()) == {"same": total}
    refreshed = engine((100, 0)).refresh()
    moved = {step.urn.rpartition("::")[2] for step in refreshed.steps if step.old != step.new}
    assert moved <= {"blue", "green"}  # their load balancer came after them; the real provider tells it as late
    assert changes(engine((100, 0)).refresh()) == {"same": total - 1}  # the stack itself is not read
    assert changes(engine((90, 10)).preview()) == {"same": total - 1, "update": 1}
    assert changes(engine((90, 10)).up()) == {"same": total - 1, "update": 1}
    assert "s3cr3t-value" not in "".join(
        p.read_text(errors="replace") for p in (tmp_path / "state").rglob("*") if p.is_file()
    )
    assert changes(engine((90, 10)).destroy()) == {"delete": total}
    assert json.dumps(engine((90, 10)).export()["deployment"].get("resources") or []) == "[]"


SITE = """
import os
import pulumi
import pulumi_aws as aws

bucket = aws.s3.Bucket("site")
for name in sorted(os.listdir("www")):
    aws.s3.BucketObject(name, bucket=bucket.id, source=pulumi.FileAsset(os.path.join("www", name)))
pulumi.export("bucket", bucket.id)
"""


def test_files_beside_the_program_are_found_and_sent_again_when_they_change(
    project: Path, provider: AwsProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\nmain: site/\n")
    www = project / "site/www"
    www.mkdir(parents=True)
    (project / "site/__main__.py").write_text(SITE)
    for name in ("index.html", "404.html"):
        (www / name).write_text(f"first {name}")
    monkeypatch.chdir(tmp_path)  # the paths are the program's, wherever the command was started

    def stack() -> Engine:
        return Engine(project, "dev", providers={"aws": AwsProvider})

    first = stack().up()
    assert first.changes["create"] == 4  # two files, the bucket and the stack
    assert not stack().up().has_changes
    (www / "index.html").write_text("second")
    assert changes(stack().up()) == {"same": 3, "update": 1}
    s3 = provider._configured().client("s3")  # pyright: ignore[reportPrivateUsage]
    stored = s3.get_object(Bucket=first.outputs["bucket"], Key="index.html")["Body"].read()
    assert stored == b"second"
    (www / "404.html").unlink()
    assert changes(stack().up()) == {"same": 3, "delete": 1}
    assert changes(stack().destroy()) == {"delete": 3}
