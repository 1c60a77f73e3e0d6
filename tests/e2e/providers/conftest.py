"""A cluster of the sandbox, and stacks on it, each with a namespace that goes with it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from slipway.engine import Engine
from slipway.sandbox import lifecycle
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.providers import PROVIDERS

Program = Callable[[], None]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """The sandbox, up, and its environment, ours: the kubeconfig's `aws eks get-token` runs with it."""
    paths = SandboxPaths.from_environment()
    if not os.environ.get("SLIPWAY_SANDBOX_KUBECONFIG"):
        lifecycle.up(paths, print)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in sandbox_environment(paths).items():
            patch.setenv(key, value)
        yield patch


@pytest.fixture(scope="session")
def kubeconfig(sandbox: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a cluster with one node, as AWS writes it: with an exec credential. Or of a cluster that is there already."""
    adopted = os.environ.get("SLIPWAY_SANDBOX_KUBECONFIG")
    if adopted:
        yield Path(adopted).read_text()
        return
    name, role = f"programs-{uuid4().hex[:6]}", "arn:aws:iam::123456789012:role/cluster"
    eks = boto3.client("eks")
    subnets = [subnet["SubnetId"] for subnet in boto3.client("ec2").describe_subnets()["Subnets"][:2]]
    patience = {"Delay": 1, "MaxAttempts": 180}
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    eks.get_waiter("cluster_active").wait(name=name, WaiterConfig=patience)
    group = {"clusterName": name, "nodegroupName": "workers"}
    eks.create_nodegroup(**group, subnets=subnets, nodeRole=role)
    eks.get_waiter("nodegroup_active").wait(**group, WaiterConfig=patience)
    path = tmp_path_factory.mktemp("kube") / "config"
    argv = ["aws", "eks", "update-kubeconfig", "--name", name, "--kubeconfig", str(path)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    yield path.read_text()
    eks.delete_nodegroup(**group)
    eks.get_waiter("nodegroup_deleted").wait(**group, WaiterConfig=patience)
    eks.delete_cluster(name=name)
    eks.get_waiter("cluster_deleted").wait(name=name, WaiterConfig=patience)


class Stack:
    """One stack: give it a program, run operations on it."""

    def __init__(self, folder: Path, kubeconfig: str) -> None:
        self.folder = folder
        self.kubeconfig = kubeconfig
        self.messages: list[str] = []
        (folder / "Pulumi.yaml").write_text(f"name: programs-{uuid4().hex[:6]}\nruntime: python\n")
        (folder / "kubeconfig").write_text(kubeconfig)

    def engine(self, program: Program | None = None) -> Engine:
        return Engine(
            self.folder,
            "test",
            backend_url=(self.folder / "state").as_uri(),
            providers=PROVIDERS,
            program=program,
            on_event=self._take,
        )

    def _take(self, event: Any) -> None:
        message = getattr(event, "message", "")
        if message:
            self.messages.append(str(message))

    def everything_written(self) -> str:
        """Every file of the backend, and everything said, as one text."""
        files = [path for path in (self.folder / "state").rglob("*") if path.is_file()]
        return "\n".join([*(path.read_text(errors="replace") for path in files), *self.messages])

    def kubectl(self, *arguments: str) -> str:
        argv = ["kubectl", "--kubeconfig", str(self.folder / "kubeconfig"), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def stack(
    sandbox: pytest.MonkeyPatch, kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "state").mkdir()
    made = Stack(tmp_path, kubeconfig)
    yield made
    made.engine(lambda: None).destroy()
