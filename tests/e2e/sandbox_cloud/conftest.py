"""A cluster with one node group, made through the API once for each module that asks for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from slipway.sandbox.paths import SandboxPaths
from tests.aws import aws_client


@pytest.fixture(scope="module")
def name() -> str:
    return f"e2e-{uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def kubeconfig(
    name: str, paths: SandboxPaths, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Of a cluster with one node group; made once for this module."""
    eks, ec2 = aws_client("eks", paths.home), aws_client("ec2", paths.home)
    role = "arn:aws:iam::123456789012:role/cluster"
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    patience = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 180}}
    eks.get_waiter("cluster_active").wait(name=name, **patience)
    eks.create_nodegroup(
        clusterName=name, nodegroupName="workers", subnets=subnets, nodeRole=role, labels={"tier": "web"}
    )
    eks.get_waiter("nodegroup_active").wait(clusterName=name, nodegroupName="workers", **patience)
    path = tmp_path_factory.mktemp("kube") / "config"
    argv = ["aws", "eks", "update-kubeconfig", "--name", name, "--kubeconfig", str(path)]
    subprocess.run(argv, env=environment, check=True, capture_output=True, timeout=60)
    yield path
    eks.delete_nodegroup(clusterName=name, nodegroupName="workers")
    eks.get_waiter("nodegroup_deleted").wait(clusterName=name, nodegroupName="workers", **patience)
    eks.delete_cluster(name=name)
    eks.get_waiter("cluster_deleted").wait(name=name, **patience)
