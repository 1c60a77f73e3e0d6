"""A real Kubernetes per sandbox cluster: control plane on the host, each node in a network namespace of its own.

Or a cluster that is there already, behind an endpoint of the sandbox's.
"""

from slipway.sandbox.kubernetes.cluster import ClusterManager
from slipway.sandbox.kubernetes.clusters import ClusterInfo, Clusters
from slipway.sandbox.kubernetes.existing.manager import ExistingClusters
from slipway.sandbox.kubernetes.existing.setting import remembered_kubeconfig
from slipway.sandbox.kubernetes.state import NodeRecord
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

__all__ = ["ClusterInfo", "ClusterManager", "Clusters", "NodeRecord", "open_clusters"]


def open_clusters(paths: SandboxPaths, processes: ProcessTable) -> Clusters:
    """The clusters that the sandbox was set up for at `up`."""
    kubeconfig = remembered_kubeconfig(paths)
    return ExistingClusters(paths, processes, kubeconfig) if kubeconfig else ClusterManager(paths, processes)
