"""A Kubernetes cluster on EKS, and the provider that reaches it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from .cidrs import check_cidrs
from .cluster_access import build_access, check_principals
from .compute import (
    ADDONS,
    AUTO_CONTROL_PLANE_POLICIES,
    AUTO_NODE_POLICIES,
    BUILT_IN_ADDONS,
    CONTROL_PLANE_POLICIES,
    NODE_POLICIES,
    NODE_POOLS,
    Compute,
    auto_network,
    auto_storage,
)
from .errors import ArgsError
from .kubeconfig import render_kubeconfig
from .log_group import build_log_group, check_retention
from .service_roles import build_service_role

CONTROL_PLANE_LOGS = ("api", "audit", "authenticator")
ROOT_DEVICE = "/dev/xvda"  # of Amazon Linux 2023, which node groups run by default; source: EKS user guide, 2026
INSTANCE_TYPE = "t3.medium"
NODES = (1, 1, 3)
"""Of a node group: at the least, at first, at the most."""
DISK_GIB = 20
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
    compute: Compute = Compute.AUTO
    """Who runs the nodes: `auto`, EKS itself by Auto Mode, or `nodeGroup`. What sizes nodes is for `nodeGroup` only. Moving a cluster that
    runs from one to the other takes several steps; a change of this argument alone interrupts its service."""
    instance_type: str | None = None
    """EC2 type of the nodes; `t3.medium` where none is given."""
    minimum_nodes: int | None = None
    """Nodes that stay when a cluster autoscaler removes some; 1 where none is given."""
    desired_nodes: int | None = None
    """Nodes at first, 1 where none is given; later changes are left to a cluster autoscaler, which is yours to install."""
    maximum_nodes: int | None = None
    """Nodes at the most; 3 where none is given."""
    disk_gib: int | None = None
    """Root volume of each node, in GiB, 20 where none is given; encrypted with the account's `aws/ebs` key. Another size replaces the
    nodes, one at a time."""
    endpoint_cidrs: Sequence[str] = ()
    """Public networks from which the API server answers, 40 at most. None: it answers inside the VPC only."""
    log_retention_days: int = 30
    """Days for which the control plane's logs are kept; one of the values that CloudWatch Logs accepts."""
    addons: Sequence[str] | None = None
    """EKS add-ons, in the version that EKS has by default for `kubernetes_version`. None: `metrics-server`, which autoscaling on CPU needs;
    with `nodeGroup` also `vpc-cni`, `coredns`, `kube-proxy` and `eks-pod-identity-agent`, which Auto Mode has built in."""
    node_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels of every node of a node group."""

    def __post_init__(self) -> None:
        self._check_nodes()
        check_principals(self.admin_principal_arns, self.view_principal_arns)
        check_retention(self.log_retention_days)
        check_cidrs("endpoint_cidrs", self.endpoint_cidrs)
        if len(self.endpoint_cidrs) > MOST_ENDPOINT_CIDRS:
            raise ArgsError(
                "endpoint_cidrs", got=len(self.endpoint_cidrs), want=f"{MOST_ENDPOINT_CIDRS} at most, EKS's limit"
            )

    def _check_nodes(self) -> None:
        if self.compute not in tuple(Compute):
            raise ArgsError("compute", got=self.compute, want="auto or nodeGroup")
        minimum, desired, maximum = self.node_counts
        if not 0 < minimum <= desired <= maximum:
            raise ArgsError(
                "minimum_nodes, desired_nodes, maximum_nodes",
                got=self.node_counts,
                want="1 or more, in ascending order",
            )
        if self.compute == Compute.NODE_GROUP:
            return
        for name in ("instance_type", "minimum_nodes", "desired_nodes", "maximum_nodes", "disk_gib", "node_labels"):
            if value := getattr(self, name):
                raise ArgsError(name, got=value, want="nothing: Auto Mode chooses the nodes; or compute nodeGroup")
        if built_in := sorted(BUILT_IN_ADDONS & {*self.wanted_addons}):
            raise ArgsError("addons", got=built_in, want="none that Auto Mode has built in")

    @property
    def node_counts(self) -> tuple[int, int, int]:
        """Of a node group: at the least, at first, at the most."""
        given = (self.minimum_nodes, self.desired_nodes, self.maximum_nodes)
        minimum, desired, maximum = (
            default if count is None else count for count, default in zip(given, NODES, strict=True)
        )
        return minimum, desired, maximum

    @property
    def wanted_addons(self) -> Sequence[str]:
        """Those that were given, or those that the kind of nodes needs."""
        return ADDONS[self.compute] if self.addons is None else self.addons


class Cluster(pulumi.ComponentResource):
    """An EKS cluster in Auto Mode or with one managed node group, access by EKS access entries, and encrypted Secrets, disks and logs.

    Creates: EKS control plane (0.10 USD an hour), IAM roles, add-ons, CloudWatch log group of the control plane; with `nodeGroup` EC2
    nodes, in Auto Mode AWS makes them. Pods cannot reach the nodes' metadata (IMDSv2 with one hop), so they cannot take the nodes' role.
    Not: with `nodeGroup`, the AWS Load Balancer Controller and a cluster autoscaler; Auto Mode has both.
    Outputs: cluster_name, security_group_id, kubeconfig (no credential in it) - known after apply; kubernetes - a provider.
    Errors: ArgsError on compute, node counts, what sizes nodes in Auto Mode, addons, principals, endpoint_cidrs and log_retention_days,
    before any resource.
    Promises: the cluster is called `<name>` (one made before November 2026 keeps its name). The provider child is
    `<name>-kubernetes`; what runs in the cluster hangs on its identity. An upgrade of Kubernetes moves the control plane first, then
    the node group, then the add-ons, in one update.
    """

    cluster_name: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Cluster", name, None, opts)
        self._name = name
        child = pulumi.ResourceOptions(parent=self)
        cluster = self._control_plane(args)
        nodes = [self._nodes(args, cluster)] if args.compute == Compute.NODE_GROUP else []
        policies = dict.fromkeys(args.admin_principal_arns, "AmazonEKSClusterAdminPolicy")
        policies |= dict.fromkeys(args.view_principal_arns, "AmazonEKSViewPolicy")
        ready = [
            *nodes,
            *(self._addon(addon, args.kubernetes_version, cluster, nodes) for addon in args.wanted_addons),
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
        name, child, auto = self._name, pulumi.ResourceOptions(parent=self), args.compute == Compute.AUTO
        role = build_service_role(
            f"{name}-control-plane",
            service="eks.amazonaws.com",
            managed_policies=AUTO_CONTROL_PLANE_POLICIES if auto else CONTROL_PLANE_POLICIES,
            opts=child,
        )
        # Not the role of a node group: EKS gives each its access entry, and a role has one.
        nodes = (
            build_service_role(
                f"{name}-auto-nodes", service="ec2.amazonaws.com", managed_policies=AUTO_NODE_POLICIES, opts=child
            )
            if auto
            else None
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
            # All of it together, or EKS refuses it.
            bootstrap_self_managed_addons=False if nodes else None,
            compute_config=aws.eks.ClusterComputeConfigArgs(
                enabled=True, node_pools=list(NODE_POOLS), node_role_arn=nodes.role.arn
            )
            if nodes
            else None,
            kubernetes_network_config=auto_network() if nodes else None,
            storage_config=auto_storage() if nodes else None,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*role.attachments, *(nodes.attachments if nodes else []), logs],
                # All three replace a cluster; those made before November 2026 have a generated name and the creator as administrator,
                # and those that had a node group the add-ons that EKS brought.
                ignore_changes=[
                    "name",
                    "accessConfig.bootstrapClusterCreatorAdminPermissions",
                    "bootstrapSelfManagedAddons",
                ],
            ),
        )

    def _nodes(self, args: ClusterArgs, cluster: aws.eks.Cluster) -> aws.eks.NodeGroup:
        child = pulumi.ResourceOptions(parent=self)
        role = build_service_role(
            f"{self._name}-nodes", service="ec2.amazonaws.com", managed_policies=NODE_POLICIES, opts=child
        )
        template = self._launch_template(args)
        minimum, desired, maximum = args.node_counts
        return aws.eks.NodeGroup(
            f"{self._name}-nodes",
            cluster_name=cluster.name,
            node_role_arn=role.role.arn,
            subnet_ids=args.subnet_ids,
            # The control plane's, and after it.
            version=cluster.version,
            instance_types=[args.instance_type or INSTANCE_TYPE],
            labels=args.node_labels,
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(min_size=minimum, desired_size=desired, max_size=maximum),
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
                        volume_size=args.disk_gib or DISK_GIB,
                        volume_type="gp3",
                    ),
                )
            ],
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _addon(
        self, addon: str, kubernetes_version: str, cluster: aws.eks.Cluster, nodes: Sequence[pulumi.Resource]
    ) -> aws.eks.Addon:
        offered = aws.eks.get_addon_version_output(
            addon_name=addon, kubernetes_version=kubernetes_version, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        return aws.eks.Addon(
            f"{self._name}-{addon}",
            cluster_name=cluster.name,
            addon_name=addon,
            addon_version=offered.version,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="PRESERVE",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*nodes]),
        )
