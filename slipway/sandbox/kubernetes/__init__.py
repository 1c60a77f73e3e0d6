"""A real Kubernetes per sandbox cluster: control plane on the host, each node in a network namespace of its own."""

from slipway.sandbox.kubernetes.cluster import ClusterInfo, ClusterManager

__all__ = ["ClusterInfo", "ClusterManager"]
