"""EKS: a cluster that kubectl reaches with AWS credentials, and only as far as its access entries allow."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

Eventually = Callable[[Callable[[], bool], str], None]
Run = Callable[..., subprocess.CompletedProcess[str]]

VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


@pytest.fixture
def eks(aws: Callable[..., Any]) -> Any:
    return aws("eks")


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


def test_refuses_to_delete_a_cluster_that_has_nodes(eks: Any, kubeconfig: Path, name: str) -> None:
    with pytest.raises(eks.exceptions.ResourceInUseException, match="nodegroups attached"):
        eks.delete_cluster(name=name)
