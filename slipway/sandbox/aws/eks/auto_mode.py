"""EKS Auto Mode: what of it is asked for, and what EKS refuses of it.

Source: EKS user guide, "EKS Auto Mode", and the messages of `CreateCluster` and `UpdateClusterConfig`, 2026.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from moto.eks.exceptions import InvalidParameterException
from moto.iam.models import iam_backends

from slipway.sandbox.aws.callers import PARTITION
from slipway.sandbox.aws.eks.pod_trust import trusts_service
from slipway.sandbox.aws.eks.statuses import ACTIVE, UPDATING
from slipway.sandbox.aws.eks.updates import Update
from slipway.sandbox.aws.world import in_background, world

NODE_POOLS = ("general-purpose", "system")
CLUSTER_POLICIES = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
NODE_POLICIES = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy")
UPDATE = "AutoModeUpdate"
AUTO_BINDINGS = frozenset({"eks.amazonaws.com"})
NODE_GROUP_BINDINGS = frozenset({"elbv2.k8s.aws"})
PARTS = ("computeConfig", "kubernetesNetworkConfig", "storageConfig")
TOGETHER = (
    "For EKS Auto Mode, please ensure that all required configs, including computeConfig, kubernetesNetworkConfig, and"
    " blockStorage are all either fully enabled or fully disabled."
)


def asks_for_auto_mode(parts: Mapping[str, Any], *, whole: bool) -> bool:
    """Whether it is to be on. `whole`: each part must be named, as an update's. Raises InvalidParameterException."""
    switches = (
        (parts.get("computeConfig") or {}).get("enabled"),
        ((parts.get("kubernetesNetworkConfig") or {}).get("elasticLoadBalancing") or {}).get("enabled"),
        ((parts.get("storageConfig") or {}).get("blockStorage") or {}).get("enabled"),
    )
    if whole and None in switches:
        raise InvalidParameterException(message=TOGETHER)
    on = {bool(switch) for switch in switches}
    if len(on) > 1:
        raise InvalidParameterException(message=TOGETHER)
    return True in on


def check_auto_mode(compute: Mapping[str, Any], role_arn: str, cluster_arn: str, authentication_mode: str) -> None:
    """Refuse what it could not run with; raises InvalidParameterException."""
    pools, node_role = compute.get("nodePools") or [], compute.get("nodeRoleArn")
    if unknown := sorted({*pools} - {*NODE_POOLS}):
        raise InvalidParameterException(
            message=f"nodePools may be {' and '.join(NODE_POOLS)}; got {', '.join(unknown)}"
        )
    if bool(pools) != bool(node_role):
        raise InvalidParameterException(message="nodePools and nodeRoleArn must be given together")
    if authentication_mode == "CONFIG_MAP":
        raise InvalidParameterException(message="EKS Auto Mode needs the authentication mode API or API_AND_CONFIG_MAP")
    _check_role(role_arn, "eks.amazonaws.com", CLUSTER_POLICIES, cluster_arn)
    if node_role:
        _check_role(str(node_role), "ec2.amazonaws.com", NODE_POLICIES, cluster_arn)


def bindings_of(cluster: Any) -> frozenset[str]:
    """The API groups of the TargetGroupBindings that it serves."""
    if not cluster.in_auto_mode:
        return NODE_GROUP_BINDINGS
    return AUTO_BINDINGS | (NODE_GROUP_BINDINGS if cluster.load_balancer_controller else frozenset())


def switch_auto_mode(cluster: Any, parts: Mapping[str, Any], update: Update, zones: Sequence[str]) -> None:
    """Turn it on, with these parts, or off; nodes come or go in the background. Raises InvalidParameterException."""
    if parts:
        mode = str(cluster.access_config["authenticationMode"])
        check_auto_mode(parts["computeConfig"], str(cluster.role_arn), str(cluster.arn), mode)
    network = {**cluster.kubernetes_network_config, "elasticLoadBalancing": {"enabled": bool(parts)}}
    cluster.kubernetes_network_config = network
    cluster.compute_config, cluster.storage_config = parts.get("computeConfig"), parts.get("storageConfig")
    if world().clusters is None:
        return
    update.status, cluster.status = "InProgress", UPDATING

    def work() -> None:
        world().cluster_started(cluster.name)
        run_auto_nodes(cluster, zones)

    def done() -> None:
        update.status, cluster.status = "Successful", ACTIVE

    def failed(error: Exception) -> None:
        update.status, cluster.status = "Failed", ACTIVE
        update.errors = [{"errorCode": "Unknown", "errorMessage": str(error)}]

    in_background("eks", f"Auto Mode of {cluster.name}", work, done=done, failed=failed)


def resume_switch(cluster: Any, updates: Iterable[Update], zones: Sequence[str]) -> None:
    """Finish what was begun when the daemon ended."""
    begun = [each for each in updates if each.type == UPDATE and each.status == "InProgress"]
    parts = {"computeConfig": cluster.compute_config, "storageConfig": cluster.storage_config}
    for update in begun[-1:]:
        switch_auto_mode(cluster, parts if cluster.in_auto_mode else {}, update, zones)


def run_auto_nodes(cluster: Any, zones: Sequence[str]) -> None:
    """Real nodes stand for those that Auto Mode would make as pods need them."""
    clusters = world().clusters
    if clusters is None:
        return
    if cluster.in_auto_mode:
        clusters.add_auto_nodes(cluster.name, zones=zones)
    else:
        clusters.remove_auto_nodes(cluster.name)


def _check_role(role_arn: str, service: str, policies: Sequence[str], cluster_arn: str) -> None:
    account = cluster_arn.split(":")[4]
    roles = {role.arn: role for role in iam_backends[account][PARTITION].get_roles()}
    role = roles.get(role_arn)
    if role is None:
        raise InvalidParameterException(message=f"Role {role_arn} does not exist.")
    context = {"aws:SourceAccount": account, "aws:SourceArn": cluster_arn, "aws:PrincipalService": service}
    actions = ("sts:AssumeRole", "sts:TagSession") if service == "eks.amazonaws.com" else ("sts:AssumeRole",)
    if not trusts_service(str(role.assume_role_policy_document), service, actions, context):
        raise InvalidParameterException(
            message=f"Role could not be assumed because the trusted entity is not correct: {service} needs {', '.join(actions)}"
        )
    attached = {arn.rpartition("/")[2] for arn in role.managed_policies}
    if missing := [f"arn:aws:iam::aws:policy/{name}" for name in policies if name not in attached]:
        raise InvalidParameterException(
            message="The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the"
            f" following policies [{', '.join(missing)}] are attached"
        )
