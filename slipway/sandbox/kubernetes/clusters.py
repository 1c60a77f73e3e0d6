"""What the sandbox asks of its clusters, whether it builds them or uses existing ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from slipway.sandbox.kubernetes.cluster import ClusterInfo, ClusterManager
from slipway.sandbox.kubernetes.existing.manager import ExistingClusters
from slipway.sandbox.kubernetes.existing.setting import remembered_kubeconfig
from slipway.sandbox.kubernetes.state import Taint
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable


class Clusters(Protocol):
    """All clusters of one sandbox."""

    def prepare(self, progress: Callable[[str], None] | None = None) -> None:
        """Have what is needed to bring clusters up."""
        ...

    def kubectl(self) -> Path | None:
        """A kubectl that fits; None when there is none."""
        ...

    def create(self, name: str, *, token_webhook_url: str) -> ClusterInfo:
        """Bring up a cluster, or finish bringing it up; `token_webhook_url` is asked about AWS tokens."""
        ...

    def add_node_group(
        self,
        name: str,
        group: str,
        desired: int,
        *,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Taint] = (),
        zones: Sequence[str] = ("us-east-1a",),
        instance_type: str = "t3.medium",
    ) -> list[str]:
        """Have nodes for the group, Ready; their names."""
        ...

    def remove_node_group(self, name: str, group: str) -> None:
        """No such group is fine."""
        ...

    def delete(self, name: str) -> None:
        """No such cluster is fine."""
        ...

    def info(self, name: str) -> ClusterInfo:
        """Address and credentials; raises NotFoundError."""
        ...

    def names(self) -> list[str]:
        """All of them, in the order of creation."""
        ...

    def resume(self) -> None:
        """Bring back what should run; at any time."""
        ...

    def pause_all(self) -> None:
        """Stop what runs, and keep what it holds."""
        ...


def open_clusters(paths: SandboxPaths, processes: ProcessTable) -> Clusters:
    """The clusters that the sandbox was set up for at `up`."""
    kubeconfig = remembered_kubeconfig(paths)
    return ExistingClusters(paths, processes, kubeconfig) if kubeconfig else ClusterManager(paths, processes)
