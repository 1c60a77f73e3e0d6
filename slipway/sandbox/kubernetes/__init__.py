"""A real Kubernetes per sandbox cluster: control plane on the host, each node in a network namespace of its own.

Or a cluster that is there already, behind an endpoint of the sandbox's.
"""

from slipway.sandbox.kubernetes.cluster import ClusterInfo, ClusterManager
from slipway.sandbox.kubernetes.clusters import Clusters, open_clusters
from slipway.sandbox.kubernetes.state import NodeRecord

__all__ = ["ClusterInfo", "ClusterManager", "Clusters", "NodeRecord", "open_clusters"]
