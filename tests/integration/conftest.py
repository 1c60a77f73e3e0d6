"""The Pulumi CLI of the tests, which of them run beside each other, and what the program of `infra/` needs to run with fake providers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.pulumi.cli import have_cli
from tests.browser import Page, chromium_page

ROOT = Path(__file__).parents[2]
CA_BUNDLE = Path(__file__).parent / "ca_bundle.pem"
"""Stands for AWS's; no server has a certificate of this authority."""
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/orders@sha256:" + "a" * 64
WANTED = {
    "live": "blue",
    "test": "green",
    "colours": {"blue": {"release": "r1", "version": "1.0.0", "image": IMAGE, "login": "tokens"}, "green": None},
    "weights": {"blue": 100, "green": 0},
}


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Those of one file share its fixtures, those of the load balancer the addresses of this machine."""
    for item in items:
        group = "load-balancer" if "sandbox_traffic" in item.path.parts else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def stack_options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of `deploy` and `upgrade_from`."""
    return options_of_stacks(monkeypatch)


def options_of_stacks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How the program in `infra/` is run. The engine runs it there; the image's context is relative to it."""
    monkeypatch.chdir(ROOT / "infra")
    monkeypatch.setenv("SLIPWAY_DATABASE_CA_BUNDLE", str(CA_BUNDLE))
    return {
        "project": ROOT,
        "answers": {
            "aws:rds/instance:Instance": {
                "arn": "arn:aws:rds:us-east-1:123456789012:db:orders",
                "masterUserSecrets": [
                    {
                        "secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf",
                        "secretStatus": "active",
                    }
                ],
            },
            "aws:eks/cluster:Cluster": {"vpcConfig": {"clusterSecurityGroupId": "sg-cluster"}},
            "docker:index/image:Image": {"repoDigest": IMAGE},
        },
        "invokes": {
            "aws:dynamodb/getTableItem:getTableItem": {"item": json.dumps({"document": {"S": json.dumps(WANTED)}})},
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "token"},
            "aws:ecr/getImages:getImages": {"imageIds": []},
            "aws:ecr/getRepository:getRepository": {
                "repositoryUrl": "123456789012.dkr.ecr.us-east-1.amazonaws.com/orders"
            },
            "aws:eks/getAddonVersion:getAddonVersion": {"version": "v1.0.0-eksbuild.1"},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": ["us-east-1a", "us-east-1b", "us-east-1c"]
            },
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
            "aws:index/getRegion:getRegion": {"region": "us-east-1"},
            "aws:secretsmanager/getSecretVersion:getSecretVersion": {"secretString": '{"password": "hunter2"}'},
        },
    }


@pytest.fixture(scope="session")
def cli_folder() -> Path:
    """Where the Pulumi CLI is, its Python language host beside it; built if it is not there."""
    return have_cli(SandboxPaths.from_environment()).parent


@pytest.fixture(scope="session")
def cli_on_path(cli_folder: Path) -> Iterator[None]:
    """The CLI as `pulumi`."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATH", f"{cli_folder}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page in Chromium, where that is installed."""
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed")
    with chromium_page(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
