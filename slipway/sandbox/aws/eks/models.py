"""EKS clusters that exist, and what moto's EKS lacks: access entries, add-ons, pod identities, updates.

A cluster is `CREATING` until its API server answers, a node group until its node is Ready. Without a ClusterManager in the world the
API behaves as moto's: everything is active at once and nothing runs.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from moto.ec2.models import ec2_backends
from moto.eks.exceptions import (
    InvalidParameterException,
    ResourceInUseException,
)
from moto.eks.models import Cluster, EKSBackend, Nodegroup, eks_backends

from slipway.log import get_logger
from slipway.sandbox.aws.eks.access import (
    POLICY_ARN_PREFIX,
    AccessEntry,
    AccessPolicy,
    new_entry,
    principal_of,
)
from slipway.sandbox.aws.eks.auto_mode import (
    NODE_GROUP_BINDINGS,
    bindings_of,
    check_auto_mode,
    resume_switch,
    run_auto_nodes,
    switch_auto_mode,
)
from slipway.sandbox.aws.eks.statuses import (
    ACTIVE,
    CREATE_FAILED,
    CREATING,
    DELETE_FAILED,
    DELETING,
    FAILED,
    UPDATING,
)
from slipway.sandbox.aws.eks.tags import tags_of
from slipway.sandbox.aws.eks.updates import Update
from slipway.sandbox.aws.world import in_background, world
from slipway.sandbox.kubernetes.layout import CLUSTER_NAME

DEFAULT_VERSION = "1.35"
BUILT_IN_ADDONS = {
    "coredns": "v1.13.2-eksbuild.1",
    "kube-proxy": "v1.35.0-eksbuild.2",
    "vpc-cni": "v1.21.1-eksbuild.3",
    "metrics-server": "v0.8.0-eksbuild.2",
    "eks-pod-identity-agent": "v1.3.8-eksbuild.2",
}
"""Add-ons whose work the sandbox's clusters do from the start (DNS, Services, pod network, metrics), with a version of EKS 1.35."""

log = get_logger(__name__)


@dataclass
class Addon:
    """An add-on as it was asked for."""

    addon_name: str
    cluster_name: str
    addon_version: str
    addon_arn: str
    tags: dict[str, str]
    status: str
    health: dict[str, object]
    service_account_role_arn: str | None = None
    configuration_values: str | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class PodIdentityAssociation:
    """Which role a service account's pods get."""

    cluster_name: str
    namespace: str
    service_account: str
    role_arn: str
    association_arn: str
    association_id: str
    tags: dict[str, str]
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Extras:
    """What moto's Cluster has no place for."""

    access_entries: dict[str, AccessEntry] = field(default_factory=dict[str, AccessEntry])
    addons: dict[str, Addon] = field(default_factory=dict[str, Addon])
    associations: dict[str, PodIdentityAssociation] = field(default_factory=dict[str, PodIdentityAssociation])
    updates: dict[str, Update] = field(default_factory=dict[str, Update])


class RealCluster(Cluster):
    """moto's Cluster with the fields it lacks."""

    endpoint: str | None  # pyright: ignore[reportIncompatibleVariableOverride]
    access_config: dict[str, Any]
    health: dict[str, Any]
    upgrade_policy: dict[str, Any]
    compute_config: dict[str, Any] | None = None
    """Of Auto Mode; None without."""
    storage_config: dict[str, Any] | None = None
    load_balancer_controller: bool = True
    """Whether the AWS Load Balancer Controller's bindings are served: as if somebody had installed it, unless it was made in Auto Mode."""

    @property
    def in_auto_mode(self) -> bool:
        """Whether EKS runs its nodes."""
        return bool(self.compute_config)


class RealEksBackend(EKSBackend):
    """moto's EKS, completed."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.extras: dict[str, Extras] = {}

    def describe_cluster(self, name: str) -> RealCluster:
        """A cluster; raises ResourceNotFoundException."""
        return cast(RealCluster, super().describe_cluster(name))

    def begin_cluster(
        self, wanted: dict[str, Any], access_config: dict[str, Any], creator_arn: str, auto_mode: dict[str, Any]
    ) -> RealCluster:
        """Start a control plane in the background; the cluster is `CREATING` until it answers. `auto_mode`: its parts; empty without."""
        name = str(wanted["name"])
        if not CLUSTER_NAME.fullmatch(name):
            raise InvalidParameterException(message=f"The cluster name {name!r} must match {CLUSTER_NAME.pattern}")
        _refuse_name_of_other_region(name, self)
        if auto_mode:
            arn = f"arn:aws:eks:{self.region_name}:{self.account_id}:cluster/{name}"
            mode = str((access_config or {}).get("authenticationMode", ""))
            check_auto_mode(auto_mode["computeConfig"], str(wanted["role_arn"]), arn, mode)
        made = super().create_cluster(**wanted)
        # moto names its class inside; the attributes are the same.
        made.__class__ = RealCluster
        cluster = cast(RealCluster, made)
        cluster.version = wanted.get("version") or DEFAULT_VERSION
        cluster.platformVersion = "eks.1"
        issuer = f"https://oidc.eks.{self.region_name}.amazonaws.com/id/{uuid4().hex.upper()}"
        cluster.identity = {"oidc": {"issuer": issuer}}
        network = {"endpointPublicAccess": True, "endpointPrivateAccess": False, "publicAccessCidrs": ["0.0.0.0/0"]}
        cluster.resources_vpc_config = network | dict(cluster.resources_vpc_config or {})
        self._attach_network(cluster)
        cluster.kubernetes_network_config = {"ipFamily": "ipv4"} | dict(cluster.kubernetes_network_config)
        defaults = {"authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True}
        cluster.access_config = defaults | dict(access_config or {})
        cluster.health = {"issues": []}
        cluster.upgrade_policy = {"supportType": "EXTENDED"}
        cluster.compute_config, cluster.storage_config = auto_mode.get("computeConfig"), auto_mode.get("storageConfig")
        cluster.load_balancer_controller = not auto_mode
        extras = self.extras[name] = Extras()
        if cluster.access_config["bootstrapClusterCreatorAdminPermissions"]:
            self._admit_creator(cluster, extras, principal_of(creator_arn))
        self.start_cluster(cluster)
        return cluster

    def start_cluster(self, cluster: RealCluster) -> None:
        """Bring the cluster up, or finish bringing it up; again after the daemon came back."""
        clusters = world().clusters
        if clusters is None:
            return
        cluster.status = CREATING
        # Not before the cluster is there: an endpoint that moto made up would be believed.
        cluster.endpoint, cluster.certificate_authority = None, {}
        found: list[Any] = []

        def work() -> None:
            found.append(clusters.create(cluster.name, token_webhook_url=world().token_webhook_url + cluster.name))
            world().cluster_started(cluster.name)
            if cluster.in_auto_mode:
                run_auto_nodes(cluster, self._zones_of(cluster))

        def done() -> None:
            (info,) = found
            cluster.endpoint = info.endpoint
            cluster.certificate_authority = {"data": base64.b64encode(info.ca_pem.encode()).decode()}
            cluster.kubernetes_network_config["serviceIpv4Cidr"] = info.service_cidr
            cluster.status = ACTIVE
            if not f"{info.version}.".removeprefix("v").startswith(f"{cluster.version}."):
                log.warning("another Kubernetes version than asked for", asked=cluster.version, runs=info.version)

        def failed(error: Exception) -> None:
            cluster.status = FAILED
            issue = {"code": "InternalFailure", "message": str(error), "resourceIds": [cluster.name]}
            cluster.health = {"issues": [issue]}

        in_background("eks", f"create {cluster.name}", work, done=done, failed=failed)

    def set_auto_mode(self, cluster: RealCluster, parts: dict[str, Any], update: Update) -> None:
        """Turn Auto Mode on, with these parts, or off; its nodes come or go in the background."""
        switch_auto_mode(cluster, parts, update, self._zones_of(cluster))

    def delete_cluster(self, name: str) -> Cluster:
        """Stop and remove the cluster in the background; it is `DELETING` until all of it is gone."""
        clusters = world().clusters
        cluster = self.describe_cluster(name)
        if clusters is None or cluster.status == DELETING:
            return self._forget(name) if clusters is None else cluster
        if cluster.nodegroup_count:
            raise ResourceInUseException(
                clusterName=name,
                nodegroupName=",".join(cluster.nodegroups),
                addonName=None,
                message="Cluster has nodegroups attached",
            )
        cluster.status = DELETING

        def work() -> None:
            world().cluster_stopping(name)
            clusters.delete(name)

        def failed(error: Exception) -> None:
            cluster.status = FAILED
            cluster.health = {"issues": [{"code": "InternalFailure", "message": str(error), "resourceIds": [name]}]}

        in_background("eks", f"delete {name}", work, done=lambda: self._forget(name) and None, failed=failed)
        return cluster

    def create_nodegroup(self, *args: Any, **kwargs: Any) -> Nodegroup:
        """Start the group's node in the background; the group is `CREATING` until it is Ready."""
        group = super().create_nodegroup(*args, **kwargs)
        cluster = self.clusters[group.cluster_name]
        group.version = kwargs.get("version") or cluster.version
        group.release_version = kwargs.get("release_version") or f"{group.version}.0-20251101"
        group.ami_type = kwargs.get("ami_type") or "AL2023_x86_64_STANDARD"
        group.scaling_config = {"minSize": 1, "maxSize": 2, "desiredSize": 2} | dict(kwargs.get("scaling_config") or {})
        group.update_config = group.update_config or {"maxUnavailable": 1}
        self.start_nodegroup(group)
        return group

    def start_nodegroup(self, group: Nodegroup, update: Update | None = None) -> None:
        """Bring the group to its desired size; again after the daemon came back."""
        clusters = world().clusters
        if clusters is None:
            return
        was_active = group.status == ACTIVE and update is not None
        if update:
            update.status = "InProgress"
        group.status = UPDATING if was_active else CREATING
        desired = int(group.scaling_config["desiredSize"])
        zones = self._zones(group.subnets) or (f"{self.region_name}a",)
        taints = [_kubernetes_taint(taint) for taint in group.taints]

        def work() -> None:
            clusters.add_node_group(
                group.cluster_name,
                group.nodegroup_name,
                desired,
                labels=dict(group.labels),
                taints=taints,
                zones=zones,
                instance_type=group.instance_types[0],
            )

        def done() -> None:
            group.status = ACTIVE
            group.health = {"issues": []}
            if update:
                update.status = "Successful"

        def failed(error: Exception) -> None:
            group.status = ACTIVE if was_active else CREATE_FAILED
            issue = {"code": "NodeCreationFailure", "message": str(error), "resourceIds": [group.nodegroup_name]}
            group.health = {"issues": [issue]}
            if update:
                update.status = "Failed"
                update.errors = [{"errorCode": "NodeCreationFailure", "errorMessage": str(error)}]

        in_background("eks", f"node group {group.nodegroup_name}", work, done=done, failed=failed)

    def delete_nodegroup(self, cluster_name: str, nodegroup_name: str) -> Nodegroup:
        """Drain and remove the group's node in the background."""
        clusters = world().clusters
        if clusters is None:
            return super().delete_nodegroup(cluster_name, nodegroup_name)
        group = self.describe_nodegroup(cluster_name, nodegroup_name)
        if group.status == DELETING:
            return group
        group.status = DELETING

        def done() -> None:
            super(RealEksBackend, self).delete_nodegroup(cluster_name, nodegroup_name)

        def failed(error: Exception) -> None:
            group.status = DELETE_FAILED
            group.health = {
                "issues": [{"code": "InternalFailure", "message": str(error), "resourceIds": [nodegroup_name]}]
            }

        in_background(
            "eks",
            f"delete node group {nodegroup_name}",
            lambda: clusters.remove_node_group(cluster_name, nodegroup_name),
            done=done,
            failed=failed,
        )
        return group

    def resume(self) -> None:
        """Finish what was begun when the daemon ended."""
        for cluster in list(self.clusters.values()):
            if cluster.status == CREATING:
                self.start_cluster(cast(RealCluster, cluster))
            elif cluster.status == UPDATING:
                resume_switch(cluster, self.extras_of(cluster.name).updates.values(), self._zones_of(cluster))
            elif cluster.status == DELETING:
                cluster.status = ACTIVE
                self.delete_cluster(cluster.name)
            for group in list(cluster.nodegroups.values()):
                if group.status in (CREATING, UPDATING):
                    self.start_nodegroup(group)
                elif group.status == DELETING:
                    group.status = ACTIVE
                    self.delete_nodegroup(cluster.name, group.nodegroup_name)

    def extras_of(self, cluster_name: str) -> Extras:
        """What belongs to a cluster beside moto's own record; raises ResourceNotFoundException."""
        self.describe_cluster(cluster_name)
        return self.extras.setdefault(cluster_name, Extras())

    def tag_resource(self, resource_arn: str, tags: dict[str, str]) -> None:
        """Add tags to a cluster or to a part of one; moto knows the clusters' only."""
        tags_of(self.clusters, self.extras, resource_arn).update(tags)

    def untag_resource(self, resource_arn: str, tag_keys: list[str]) -> None:
        """Remove tags."""
        found = tags_of(self.clusters, self.extras, resource_arn)
        for key in [tag_keys] if isinstance(tag_keys, str) else tag_keys:
            found.pop(key, None)

    def list_tags_for_resource(self, resource_arn: str) -> dict[str, str]:
        """The tags."""
        return tags_of(self.clusters, self.extras, resource_arn)

    def _forget(self, name: str) -> Cluster:
        cluster = super().delete_cluster(name)
        self.extras.pop(name, None)
        group_id = str(cluster.resources_vpc_config.get("clusterSecurityGroupId", ""))
        if group_id:
            ec2_backends[self.account_id][self.region_name].delete_security_group(group_id=group_id)
        return cluster

    def _attach_network(self, cluster: Cluster) -> None:
        """EKS's own additions: the VPC of the subnets, and a security group for the cluster."""
        ec2 = ec2_backends[self.account_id][self.region_name]
        subnet_ids = [str(each) for each in cluster.resources_vpc_config.get("subnetIds") or []]
        subnets = [subnet for subnet in ec2.describe_subnets() if subnet.id in subnet_ids]
        if not subnets:
            return
        group = ec2.create_security_group(
            f"eks-cluster-sg-{cluster.name}-{uuid4().hex[:10]}",
            "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes",
            subnets[0].vpc_id,
            tags={f"kubernetes.io/cluster/{cluster.name}": "owned", "aws:eks:cluster-name": cluster.name},
        )
        cluster.resources_vpc_config |= {"vpcId": subnets[0].vpc_id, "clusterSecurityGroupId": group.id}

    def _zones_of(self, cluster: Cluster) -> tuple[str, ...]:
        subnet_ids = [str(each) for each in cluster.resources_vpc_config.get("subnetIds") or []]
        return self._zones(subnet_ids) or (f"{self.region_name}a",)

    def _zones(self, subnet_ids: list[str]) -> tuple[str, ...]:
        subnets = ec2_backends[self.account_id][self.region_name].describe_subnets()
        return tuple(sorted({subnet.availability_zone for subnet in subnets if subnet.id in subnet_ids}))

    def _admit_creator(self, cluster: Cluster, extras: Extras, principal_arn: str) -> None:
        entry = new_entry(cluster.arn, principal_arn, entry_type="STANDARD", username="", groups=[], tags={})
        extras.access_entries[principal_arn] = entry
        now = datetime.now(UTC)
        policy = f"{POLICY_ARN_PREFIX}AmazonEKSClusterAdminPolicy"
        entry.policies[policy] = AccessPolicy(policy, {"type": "cluster", "namespaces": []}, now, now)


def resume_clusters() -> None:
    """Finish what was begun in every region."""
    for _, _, backend in list(eks_backends.iter_backends()):
        if isinstance(backend, RealEksBackend):
            backend.resume()


def find_cluster(name: str) -> tuple[RealEksBackend, Cluster] | None:
    """A cluster by name, whatever its region."""
    for _, _, backend in list(eks_backends.iter_backends()):
        if isinstance(backend, RealEksBackend) and name in backend.clusters:
            return backend, backend.clusters[name]
    return None


def binding_groups(name: str) -> frozenset[str]:
    """The API groups of the TargetGroupBindings that a cluster serves; those of a node group where EKS does not know it."""
    found = find_cluster(name)
    return bindings_of(found[1]) if found else NODE_GROUP_BINDINGS


def _refuse_name_of_other_region(name: str, backend: RealEksBackend) -> None:
    found = find_cluster(name) if world().clusters is not None else None
    if found is not None and found[0] is not backend:
        region = found[0].region_name
        raise InvalidParameterException(
            message=f"The sandbox has a cluster named {name} in {region}; names are one for all regions here."
        )


def _kubernetes_taint(taint: dict[str, str]) -> Any:
    from slipway.sandbox.kubernetes.state import Taint  # noqa: PLC0415 - only where there are real clusters

    # EKS writes NO_SCHEDULE, Kubernetes NoSchedule.
    effect = "".join(word.capitalize() for word in taint["effect"].split("_"))
    return Taint.model_validate({"key": taint["key"], "value": taint.get("value", ""), "effect": effect})
