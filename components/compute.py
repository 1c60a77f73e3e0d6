"""Where a cluster's pods run: on nodes that EKS runs by itself, or on a node group."""

from enum import StrEnum

import pulumi_aws as aws


class Compute(StrEnum):
    """Who runs a cluster's nodes."""

    AUTO = "auto"
    """EKS Auto Mode: AWS makes nodes as pods need them, replaces them within 21 days, and runs pod network, DNS, pod identity, disks and
    load balancer bindings. About 12 % on top of EC2's price."""
    NODE_GROUP = "nodeGroup"
    """One managed node group, with EKS's add-ons. What binds pods to load balancers is yours to install."""


NODE_POOLS = ("general-purpose", "system")
"""Auto Mode's own: instances of the C, M and R families from generation 5 on, amd64; `system` is for add-ons alone."""
CONTROL_PLANE_POLICIES = ("AmazonEKSClusterPolicy",)
AUTO_CONTROL_PLANE_POLICIES = (
    *CONTROL_PLANE_POLICIES,
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")
AUTO_NODE_POLICIES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
BUILT_IN_ADDONS = frozenset({"vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent", "aws-ebs-csi-driver"})
"""What Auto Mode brings; source: EKS user guide, "EKS Auto Mode", 2026."""
ADDONS = {
    Compute.AUTO: ("metrics-server",),
    Compute.NODE_GROUP: ("vpc-cni", "coredns", "kube-proxy", "metrics-server", "eks-pod-identity-agent"),
}
"""`metrics-server` is what autoscaling on CPU needs, `eks-pod-identity-agent` what gives pods their role."""


def auto_network() -> aws.eks.ClusterKubernetesNetworkConfigArgs:
    """Bindings and load balancers by Auto Mode."""
    return aws.eks.ClusterKubernetesNetworkConfigArgs(
        elastic_load_balancing=aws.eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(enabled=True)
    )


def auto_storage() -> aws.eks.ClusterStorageConfigArgs:
    """Disks by Auto Mode."""
    return aws.eks.ClusterStorageConfigArgs(block_storage=aws.eks.ClusterStorageConfigBlockStorageArgs(enabled=True))
