"""EKS Auto Mode as SDKs see it: all of its parts or none, and roles that it can work with.

Not proven: that nodes run (the end-to-end tests see to it), and the words of EKS where its messages are not public.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

CLUSTER_POLICIES = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
NODE_POLICIES = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy")
BOTH = ("sts:AssumeRole", "sts:TagSession")
TOGETHER = "computeConfig, kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled"

Roles = Callable[..., str]


@pytest.fixture
def role(aws: Callable[..., Any]) -> Roles:
    """Makes a role."""

    def make(service: str, policies: tuple[str, ...], actions: tuple[str, ...] = BOTH) -> str:
        name = f"role-{uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": [*actions]}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        for policy in policies:
            aws("iam").attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        return str(arn)

    return make


def parts(node_role: str, *, on: bool = True) -> dict[str, Any]:
    compute = {"enabled": on, "nodePools": ["general-purpose", "system"], "nodeRoleArn": node_role}
    return {
        "computeConfig": compute if on else {"enabled": False},
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": on}},
        "storageConfig": {"blockStorage": {"enabled": on}},
    }


@pytest.fixture
def asked(aws: Callable[..., Any], role: Roles) -> Iterator[dict[str, Any]]:
    """What CreateCluster takes."""
    subnets = [subnet["SubnetId"] for subnet in aws("ec2").describe_subnets()["Subnets"][:2]]
    name = f"auto-{uuid4().hex[:6]}"
    yield {
        "name": name,
        "roleArn": role("eks.amazonaws.com", CLUSTER_POLICIES),
        "resourcesVpcConfig": {"subnetIds": subnets},
        "accessConfig": {"authenticationMode": "API"},
        "bootstrapSelfManagedAddons": False,
        **parts(role("ec2.amazonaws.com", NODE_POLICIES)),
    }
    if name in aws("eks").list_clusters()["clusters"]:
        aws("eks").delete_cluster(name=name)


def refused(call: Callable[..., object], **arguments: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    return str(caught.value.response["Error"]["Message"])


def test_cluster_in_auto_mode_says_so(aws: Callable[..., Any], asked: dict[str, Any]) -> None:
    aws("eks").create_cluster(**asked)
    described = aws("eks").describe_cluster(name=asked["name"])["cluster"]
    assert described["computeConfig"] == asked["computeConfig"]
    assert described["storageConfig"] == asked["storageConfig"]
    assert described["kubernetesNetworkConfig"]["elasticLoadBalancing"] == {"enabled": True}


@pytest.mark.parametrize("part", ["computeConfig", "kubernetesNetworkConfig", "storageConfig"])
def test_refuses_auto_mode_in_parts(aws: Callable[..., Any], asked: dict[str, Any], part: str) -> None:
    del asked[part]
    assert TOGETHER in refused(aws("eks").create_cluster, **asked)


def test_refuses_auto_mode_with_the_add_ons_that_it_replaces(aws: Callable[..., Any], asked: dict[str, Any]) -> None:
    del asked["bootstrapSelfManagedAddons"]
    assert "bootstrapSelfManagedAddons must be set to false" in refused(aws("eks").create_cluster, **asked)


def test_refuses_auto_mode_without_access_entries(aws: Callable[..., Any], asked: dict[str, Any]) -> None:
    asked["accessConfig"] = {"authenticationMode": "CONFIG_MAP"}
    assert "authentication mode" in refused(aws("eks").create_cluster, **asked)


def test_refuses_roles_that_auto_mode_cannot_work_with(
    aws: Callable[..., Any], asked: dict[str, Any], role: Roles
) -> None:
    create, compute = aws("eks").create_cluster, asked["computeConfig"]
    few = role("eks.amazonaws.com", CLUSTER_POLICIES[:2])
    missing = "following policies [arn:aws:iam::aws:policy/AmazonEKSComputePolicy"
    assert missing in refused(create, **{**asked, "roleArn": few})
    untrusting = role("eks.amazonaws.com", CLUSTER_POLICIES, ("sts:AssumeRole",))
    assert "trusted entity is not correct" in refused(create, **{**asked, "roleArn": untrusting})
    nodes = role("ec2.amazonaws.com", ())
    poor = {**asked, "computeConfig": {**compute, "nodeRoleArn": nodes}}
    assert "AmazonEKSWorkerNodeMinimalPolicy" in refused(create, **poor)
    pool = {**asked, "computeConfig": {**compute, "nodePools": ["spot"]}}
    assert "nodePools" in refused(create, **pool)
    alone = {**asked, "computeConfig": {"enabled": True, "nodePools": ["system"]}}
    assert "together" in refused(create, **alone)


def test_auto_mode_is_turned_on_and_off_as_a_whole(aws: Callable[..., Any], asked: dict[str, Any], role: Roles) -> None:
    eks, name = aws("eks"), asked["name"]
    whole = {key: asked.pop(key) for key in ("computeConfig", "kubernetesNetworkConfig", "storageConfig")}
    eks.create_cluster(**asked)
    assert TOGETHER in refused(eks.update_cluster_config, name=name, computeConfig=whole["computeConfig"])

    update = eks.update_cluster_config(name=name, **whole)["update"]
    assert update["type"] == "AutoModeUpdate"
    assert eks.describe_update(name=name, updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name=name)["cluster"]["computeConfig"] == whole["computeConfig"]

    off = parts("", on=False)
    eks.update_cluster_config(name=name, **off)
    after = eks.describe_cluster(name=name)["cluster"]
    assert "computeConfig" not in after
    assert after["kubernetesNetworkConfig"]["elasticLoadBalancing"] == {"enabled": False}
