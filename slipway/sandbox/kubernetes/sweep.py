"""What clusters leave on the machine when no record names them: their sandbox was killed, or its list of clusters is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

from slipway.log import get_logger
from slipway.sandbox.kubernetes import network
from slipway.sandbox.kubernetes.cgroups import kill_members, remove_cgroup
from slipway.sandbox.kubernetes.layout import MAXIMUM_CLUSTERS, MAXIMUM_NODES, RUNTIME_FOLDER, ClusterLayout, NodeLayout
from slipway.sandbox.mounts import unmount_below
from slipway.sandbox.paths import SandboxPaths

log = get_logger(__name__)


def sweep(paths: SandboxPaths) -> None:
    """End every pod and take away all namespaces, links, rules, mounts and control groups of clusters. None may be wanted."""
    if not all(shutil.which(program) for program in ("ip", "iptables")):
        return  # `up` installs them before it makes any of this
    for index in range(MAXIMUM_CLUSTERS):
        cluster = ClusterLayout.of(paths, "unknown", index)
        for number in range(MAXIMUM_NODES):
            _sweep_node(cluster.node(number))
        network.remove_cluster(cluster)
    network.remove_host()
    unmount_below(RUNTIME_FOLDER)
    shutil.rmtree(RUNTIME_FOLDER, ignore_errors=True)


def _sweep_node(node: NodeLayout) -> None:
    kill_members(node.cgroup)
    remove_cgroup(node.cgroup)
    if (Path("/run/netns") / node.key).exists():
        network.remove_node(node)
        log.info("removed what a dead node left", node=node.key)
