"""EKS: a cluster that kubectl reaches with AWS credentials, and only as far as its access entries allow."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from slipway.sandbox.paths import SandboxPaths
from tests.aws import aws_client

Eventually = Callable[[Callable[[], bool], str], None]
Run = Callable[..., subprocess.CompletedProcess[str]]

VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


@pytest.fixture(scope="module")
def name() -> str:
    return f"e2e-{uuid4().hex[:6]}"


@pytest.fixture
def eks(aws: Callable[..., Any]) -> Any:
    return aws("eks")


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


def test_creator_reaches_the_cluster_through_aws_get_token(run: Run, kubeconfig: Path) -> None:
    found = run(
        "kubectl", "--kubeconfig", str(kubeconfig), "get", "nodes", "--selector", "tier=web", "--output", "name"
    )
    assert found.returncode == 0, found.stderr
    assert len(found.stdout.splitlines()) == 1


def test_caller_sees_and_does_what_the_access_policy_allows(
    run: Run, eks: Any, aws: Callable[..., Any], kubeconfig: Path, name: str
) -> None:
    iam, user = aws("iam"), f"viewer-{uuid4().hex[:6]}"
    arn = iam.create_user(UserName=user)["User"]["Arn"]
    key = iam.create_access_key(UserName=user)["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    eks.create_access_entry(clusterName=name, principalArn=arn)
    eks.associate_access_policy(clusterName=name, principalArn=arn, policyArn=VIEW, accessScope={"type": "cluster"})
    kubectl = ("kubectl", "--kubeconfig", str(kubeconfig))
    assert run(*kubectl, "get", "pods", "--all-namespaces", **credentials).returncode == 0
    refused = run(*kubectl, "create", "namespace", "mine", **credentials)
    assert "cannot create resource" in refused.stderr
    stolen = run(*kubectl, "get", "pods", **(credentials | {"AWS_SECRET_ACCESS_KEY": "guessed"}))
    assert "You must be logged in" in stolen.stderr


def test_public_image_runs_in_the_cluster(run: Run, kubeconfig: Path, eventually: Eventually) -> None:
    kubectl = ("kubectl", "--kubeconfig", str(kubeconfig))
    assert run(*kubectl, "run", "web", "--image", "nginx:1.15.4", "--port", "80").returncode == 0
    ready = "{.status.conditions[?(@.type=='Ready')].status}"
    eventually(
        lambda: run(*kubectl, "get", "pod", "web", "--output", f"jsonpath={ready}").stdout == "True", "the pod ready"
    )
    assert run(*kubectl, "delete", "pod", "web", "--now").returncode == 0


def test_pod_of_an_ecr_image_reaches_a_database(
    run: Run,
    aws: Callable[..., Any],
    engine: Any,
    kubeconfig: Path,
    eventually: Eventually,
    *,
    registry_login: dict[str, str],
) -> None:
    rds, ecr, name = aws("rds"), aws("ecr"), f"e2e-{uuid4().hex[:6]}"
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="orders",
        ManageMasterUserPassword=True,
    )
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    dockerfile = "FROM python:3.11-slim-bookworm\nRUN pip install --quiet 'psycopg[binary]'\nUSER 10001:10001\n"
    engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=f"{uri}:1", rm=True)
    engine.images.push(uri, tag="1", auth_config=registry_login)
    (image,) = ecr.list_images(repositoryName=name)["imageIds"]
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    endpoint = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["Endpoint"]
    # Any answer of the server proves the way: the password is not the point here, and must not be on a command line.
    program = (
        f"import psycopg; psycopg.connect('host={endpoint['Address']} port={endpoint['Port']} user=orders password=x')"
    )
    kubectl = ("kubectl", "--kubeconfig", str(kubeconfig))
    reference = f"{uri}@{image['imageDigest']}"
    made = run(
        *kubectl, "run", name, "--image", reference, "--restart=Never", "--command", "--", "python", "-c", program
    )
    assert made.returncode == 0, made.stderr
    eventually(
        lambda: "password authentication failed" in run(*kubectl, "logs", name).stdout,
        "the pod's answer from the database",
    )
    run(*kubectl, "delete", "pod", name, "--now")
    ecr.delete_repository(repositoryName=name, force=True)
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_refuses_to_delete_a_cluster_that_has_nodes(eks: Any, kubeconfig: Path, name: str) -> None:
    with pytest.raises(eks.exceptions.ResourceInUseException, match="nodegroups attached"):
        eks.delete_cluster(name=name)
