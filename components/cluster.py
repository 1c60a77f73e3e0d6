"""A Kubernetes cluster on EKS, and the provider that reaches it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from .cidrs import check_cidrs
from .cluster_access import build_access, check_principals
from .errors import ArgsError
from .kubeconfig import render_kubeconfig
from .log_group import build_log_group, check_retention
from .service_roles import build_service_role

CONTROL_PLANE_LOGS = ("api", "audit", "authenticator")
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")
ROOT_DEVICE = "/dev/xvda"  # of Amazon Linux 2023, which node groups run by default; source: EKS user guide, 2026
MOST_ENDPOINT_CIDRS = 40  # source: EKS service quotas, 2026


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """What a cluster is made from."""

    subnet_ids: pulumi.Input[Sequence[str]]
    """Private subnets in at least two zones, for the control plane's interfaces and the nodes."""
    key_arn: pulumi.Input[str]
    """KMS key that encrypts Kubernetes Secrets and the control plane's logs. Its policy must admit CloudWatch Logs. Cannot be changed
    later without a new cluster."""
    region: str
    """Where the cluster is; the kubeconfig's credential command names it."""
    kubernetes_version: str
    """Minor version such as `1.35`, upgraded one minor version at a time; EKS can go back one for seven days. When its standard support
    ends, EKS upgrades the cluster by itself: extended support, which costs 0.60 USD an hour, is never entered."""
    admin_principal_arns: Sequence[str]
    """IAM roles or users that administer the cluster: who runs `pulumi up`, and people. The cluster's creator is not added."""
    view_principal_arns: Sequence[str] = ()
    """IAM roles or users that may read everything but Secrets."""
    instance_type: str = "t3.medium"
    """EC2 type of the nodes."""
    minimum_nodes: int = 1
    """Nodes that stay when a cluster autoscaler removes some."""
    desired_nodes: int = 1
    """Nodes at first; later changes are left to a cluster autoscaler."""
    maximum_nodes: int = 3
    """Nodes at the most."""
    disk_gib: int = 20
    """Root volume of each node, in GiB; encrypted with the account's `aws/ebs` key. Another size replaces the nodes, one at a time."""
    endpoint_cidrs: Sequence[str] = ()
    """Public networks from which the API server answers, 40 at most. None: it answers inside the VPC only."""
    log_retention_days: int = 30
    """Days for which the control plane's logs are kept; one of the values that CloudWatch Logs accepts."""
    addons: Sequence[str] = ("vpc-cni", "coredns", "kube-proxy", "metrics-server", "eks-pod-identity-agent")
    """EKS add-ons. `metrics-server` is what autoscaling on CPU needs, `eks-pod-identity-agent` what gives pods their role."""
    node_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels of every node."""

    def __post_init__(self) -> None:
        if not 0 < self.minimum_nodes <= self.desired_nodes <= self.maximum_nodes:
            raise ArgsError(
                "minimum_nodes, desired_nodes, maximum_nodes",
                got=(self.minimum_nodes, self.desired_nodes, self.maximum_nodes),
                want="1 or more, in ascending order",
            )
        check_principals(self.admin_principal_arns, self.view_principal_arns)
        check_retention(self.log_retention_days)
        check_cidrs("endpoint_cidrs", self.endpoint_cidrs)
        if len(self.endpoint_cidrs) > MOST_ENDPOINT_CIDRS:
            raise ArgsError(
                "endpoint_cidrs", got=len(self.endpoint_cidrs), want=f"{MOST_ENDPOINT_CIDRS} at most, EKS's limit"
            )


class Cluster(pulumi.ComponentResource):
    """An EKS cluster with one managed node group, access by EKS access entries, and encrypted Secrets, disks and logs.

    Creates: EKS control plane (0.10 USD an hour), EC2 nodes, IAM roles, add-ons, CloudWatch log group of the control plane. Pods
    cannot reach the nodes' metadata (IMDSv2 with one hop), so they cannot take the nodes' role.
    Not: the AWS Load Balancer Controller; the guide for real accounts installs it.
    Outputs: cluster_name, security_group_id, kubeconfig (no credential in it) - known after apply; kubernetes - a provider.
    Errors: ArgsError on node counts, principals, endpoint_cidrs and log_retention_days, before any resource.
    Promises: the cluster is called `<name>` (one made before November 2026 keeps its name). The provider child is
    `<name>-kubernetes`; what runs in the cluster hangs on its identity.
    """

    cluster_name: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Cluster", name, None, opts)
        self._name = name
        child = pulumi.ResourceOptions(parent=self)
        cluster = self._control_plane(args)
        nodes = self._nodes(args, cluster)
        policies = dict.fromkeys(args.admin_principal_arns, "AmazonEKSClusterAdminPolicy")
        policies |= dict.fromkeys(args.view_principal_arns, "AmazonEKSViewPolicy")
        ready = [
            nodes,
            *(self._addon(addon, cluster, nodes) for addon in args.addons),
            *build_access(name, cluster.name, policies, child),
        ]
        self.cluster_name = cluster.name
        self.security_group_id = cluster.vpc_config.cluster_security_group_id  # type: ignore[assignment]
        self.kubeconfig = render_kubeconfig(
            cluster_name=cluster.name,
            endpoint=cluster.endpoint,
            certificate_authority=cluster.certificate_authority.data,
            region=args.region,
        )
        # Waits for access, nodes and add-ons: without access nothing is applied, and without nodes workloads time out.
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

    def _control_plane(self, args: ClusterArgs) -> aws.eks.Cluster:
        name, child = self._name, pulumi.ResourceOptions(parent=self)
        role = build_service_role(
            f"{name}-control-plane",
            service="eks.amazonaws.com",
            managed_policies=["AmazonEKSClusterPolicy"],
            opts=child,
        )
        logs = build_log_group(
            f"{name}-control-plane",
            path=f"/aws/eks/{name}/cluster",
            key_arn=args.key_arn,
            retention_days=args.log_retention_days,
            opts=child,
        )
        return aws.eks.Cluster(
            name,
            name=name,
            version=args.kubernetes_version,
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            role_arn=role.role.arn,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=args.subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=bool(args.endpoint_cidrs),
                public_access_cidrs=list(args.endpoint_cidrs) or None,
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key_arn), resources=["secrets"]
            ),
            enabled_cluster_log_types=list(CONTROL_PLANE_LOGS),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*role.attachments, logs],
                # Both replace a cluster; those made before November 2026 have a generated name and the creator as administrator.
                ignore_changes=["name", "accessConfig.bootstrapClusterCreatorAdminPermissions"],
            ),
        )

    def _nodes(self, args: ClusterArgs, cluster: aws.eks.Cluster) -> aws.eks.NodeGroup:
        child = pulumi.ResourceOptions(parent=self)
        role = build_service_role(
            f"{self._name}-nodes", service="ec2.amazonaws.com", managed_policies=NODE_POLICIES, opts=child
        )
        template = self._launch_template(args)
        return aws.eks.NodeGroup(
            f"{self._name}-nodes",
            cluster_name=cluster.name,
            node_role_arn=role.role.arn,
            subnet_ids=args.subnet_ids,
            instance_types=[args.instance_type],
            labels=args.node_labels,
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=args.minimum_nodes, desired_size=args.desired_nodes, max_size=args.maximum_nodes
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=role.attachments,
                # A cluster autoscaler owns the number of nodes from then on; declaring it again would fight with it.
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )

    def _launch_template(self, args: ClusterArgs) -> aws.ec2.LaunchTemplate:
        return aws.ec2.LaunchTemplate(
            f"{self._name}-nodes",
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name=ROOT_DEVICE,
                    ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        # Not the environment's key: the service-linked role of Auto Scaling could not use it.
                        encrypted="true",
                        volume_size=args.disk_gib,
                        volume_type="gp3",
                    ),
                )
            ],
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            opts=pulumi.ResourceOptions(parent=self),
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
