"""A Kubernetes cluster on EKS, and the provider that reaches it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from .errors import ArgsError
from .kubeconfig import render_kubeconfig
from .service_roles import build_service_role

ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
CONTROL_PLANE_LOGS = ("api", "audit", "authenticator")
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """What a cluster is made from."""

    subnet_ids: pulumi.Input[Sequence[str]]
    """Private subnets in at least two zones, for the control plane's interfaces and the nodes."""
    key_arn: pulumi.Input[str]
    """KMS key that encrypts Kubernetes Secrets. Cannot be changed later without a new cluster."""
    region: str
    """Where the cluster is; the kubeconfig's credential command names it."""
    kubernetes_version: str
    """Minor version such as `1.35`. EKS upgrades one minor version at a time and never goes back."""
    instance_type: str = "t3.medium"
    """EC2 type of the nodes."""
    minimum_nodes: int = 1
    """Nodes that stay when a cluster autoscaler removes some."""
    desired_nodes: int = 1
    """Nodes at first; later changes are left to a cluster autoscaler."""
    maximum_nodes: int = 3
    """Nodes at the most."""
    public_endpoint: bool = True
    """Whether the API server answers from the internet (to those with credentials) beside the VPC."""
    admin_principal_arns: Sequence[str] = ()
    """IAM roles or users that administer the cluster, beside whoever creates it."""
    addons: Sequence[str] = ("vpc-cni", "coredns", "kube-proxy", "metrics-server")
    """EKS add-ons. `metrics-server` is what autoscaling on CPU needs."""
    node_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels of every node."""

    def __post_init__(self) -> None:
        if not 0 < self.minimum_nodes <= self.desired_nodes <= self.maximum_nodes:
            raise ArgsError(
                "minimum_nodes, desired_nodes, maximum_nodes",
                got=(self.minimum_nodes, self.desired_nodes, self.maximum_nodes),
                want="1 or more, in ascending order",
            )


class Cluster(pulumi.ComponentResource):
    """An EKS cluster with one managed node group, access by EKS access entries, and encrypted Secrets.

    Creates: EKS control plane (0.10 USD an hour), EC2 nodes, IAM roles, add-ons.
    Not: the AWS Load Balancer Controller; the guide for real accounts installs it.
    Outputs: cluster_name, security_group_id, kubeconfig (no credential in it) - known after apply; kubernetes - a provider.
    Errors: ArgsError on node counts, before any resource.
    Promises: the provider child is `<name>-kubernetes`; what runs in the cluster hangs on its identity.
    """

    cluster_name: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Cluster", name, None, opts)
        self._name = name
        child = pulumi.ResourceOptions(parent=self)
        role = build_service_role(
            f"{name}-control-plane",
            service="eks.amazonaws.com",
            managed_policies=["AmazonEKSClusterPolicy"],
            opts=child,
        )
        cluster = aws.eks.Cluster(
            name,
            version=args.kubernetes_version,
            role_arn=role.arn,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
            ),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=args.subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=args.public_endpoint,
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key_arn), resources=["secrets"]
            ),
            enabled_cluster_log_types=list(CONTROL_PLANE_LOGS),
            opts=child,
        )
        nodes = self._nodes(args, cluster)
        for principal in args.admin_principal_arns:
            self._administrator(cluster, principal)
        ready: list[pulumi.Resource] = [nodes, *(self._addon(addon, cluster, nodes) for addon in args.addons)]
        self.cluster_name = cluster.name
        self.security_group_id = cluster.vpc_config.cluster_security_group_id  # type: ignore[assignment]
        self.kubeconfig = render_kubeconfig(
            cluster_name=cluster.name,
            endpoint=cluster.endpoint,
            certificate_authority=cluster.certificate_authority.data,
            region=args.region,
        )
        # Waits for nodes and add-ons: a workload that is applied earlier only waits for them itself, and times out doing so.
        self.kubernetes = k8s.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )
        self.register_outputs(
            {
                "clusterName": self.cluster_name,
                "securityGroupId": self.security_group_id,
                "kubeconfig": self.kubeconfig,
            }
        )

    def _nodes(self, args: ClusterArgs, cluster: aws.eks.Cluster) -> aws.eks.NodeGroup:
        child = pulumi.ResourceOptions(parent=self)
        role = build_service_role(
            f"{self._name}-nodes", service="ec2.amazonaws.com", managed_policies=NODE_POLICIES, opts=child
        )
        return aws.eks.NodeGroup(
            f"{self._name}-nodes",
            cluster_name=cluster.name,
            node_role_arn=role.arn,
            subnet_ids=args.subnet_ids,
            instance_types=[args.instance_type],
            labels=args.node_labels,
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=args.minimum_nodes, desired_size=args.desired_nodes, max_size=args.maximum_nodes
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            # A cluster autoscaler owns the number of nodes from then on; declaring it again would fight with it.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["scalingConfig.desiredSize"]),
        )

    def _administrator(self, cluster: aws.eks.Cluster, principal_arn: str) -> None:
        name = f"{self._name}-admin-{principal_arn.rsplit('/', 1)[-1]}"
        child = pulumi.ResourceOptions(parent=self)
        entry = aws.eks.AccessEntry(name, cluster_name=cluster.name, principal_arn=principal_arn, opts=child)
        aws.eks.AccessPolicyAssociation(
            name,
            cluster_name=cluster.name,
            principal_arn=entry.principal_arn,
            policy_arn=ADMIN_POLICY,
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
            opts=child,
        )

    def _addon(self, addon: str, cluster: aws.eks.Cluster, nodes: aws.eks.NodeGroup) -> aws.eks.Addon:
        return aws.eks.Addon(
            f"{self._name}-{addon}",
            cluster_name=cluster.name,
            addon_name=addon,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="PRESERVE",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[nodes]),
        )
