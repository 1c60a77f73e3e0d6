"""The Pulumi CLI on the stand-in AWS provider, as `slipway sandbox env` offers it. Runs where the CLI is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from slipway.engine import Engine
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.providers import PROVIDERS
from slipway.sandbox.providers.aws.provider import AwsProvider

pytestmark = pytest.mark.skipif(
    not (shutil.which("pulumi") and shutil.which("pulumi-language-python")),
    reason="the Pulumi CLI is not installed; it is in no package registry",
)

PROGRAM = """
import pulumi
import pulumi_aws as aws

days = pulumi.Config().require_int("days")
vpc = aws.ec2.Vpc("net", cidr_block="10.60.0.0/16", tags={"Name": "net"})
zones = aws.get_availability_zones(state="available").names
subnets = [aws.ec2.Subnet(f"net-{zone}", vpc_id=vpc.id, cidr_block=f"10.60.{index}.0/24", availability_zone=zone)
           for index, zone in enumerate(zones[:2])]
balancer = aws.lb.LoadBalancer("web", subnets=[subnet.id for subnet in subnets])
secret = aws.secretsmanager.Secret("token")
aws.secretsmanager.SecretVersion("token", secret_id=secret.id, secret_string=pulumi.Output.secret("s3cr3t-value"))
aws.cloudwatch.LogGroup("log", retention_in_days=days)
pulumi.export("dns", balancer.dns_name)
"""


def test_cli_and_engine_work_on_one_stack_in_turns(fresh_provider: AwsProvider, tmp_path: Path) -> None:
    session = fresh_provider._configured()  # pyright: ignore[reportPrivateUsage]
    environ = {
        **os.environ,
        **sandbox_environment(SandboxPaths(tmp_path)),
        "AWS_ENDPOINT_URL": session.settings.endpoint_url,
        "HOME": str(tmp_path),
    }
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("config:\n  aws:region: us-east-1\n  shop:days: 7\n")
    (project / "__main__.py").write_text(PROGRAM)

    def cli(*arguments: str) -> str:
        argv = ["pulumi", *arguments, "--stack", "dev", "--non-interactive"]
        done = subprocess.run(argv, cwd=project, env=environ, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def engine() -> Engine:
        return Engine(project, "dev", providers=PROVIDERS, environ=environ)

    assert engine().up().changes == {"create": 8}
    cli("preview", "--expect-no-changes")
    cli("refresh", "--preview-only", "--expect-no-changes")
    cli("config", "set", "days", "14")
    assert "~ 1 updated" in cli("up", "--yes", "--skip-preview")
    assert engine().preview().changes == {"same": 8}
    assert engine().outputs() == json.loads(cli("stack", "output", "--json"))
    assert "s3cr3t-value" not in cli("stack", "export")
    assert "- 8 deleted" in cli("destroy", "--yes", "--skip-preview")

    assert "+ 8 created" in cli("up", "--yes", "--skip-preview")
    assert engine().preview().changes == {"same": 8}
    assert engine().destroy().changes == {"delete": 8}
