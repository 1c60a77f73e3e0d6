"""What the sandbox asks of its clusters, whether it builds them or uses existing ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import NotFoundError
from slipway.sandbox.kubernetes.layout import KUBERNETES_VERSION, ClusterLayout
from slipway.sandbox.kubernetes.state import ClusterBook, ClusterRecord, NodeRecord, Taint
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable


@dataclass(frozen=True, kw_only=True)
class ClusterInfo:
    """What a client needs to know of a running cluster."""

    name: str
    index: int
    endpoint: str
    """URL on 127.0.0.1."""
    ca_pem: str
    admin_kubeconfig: Path
    version: str = KUBERNETES_VERSION
    service_cidr: str = ""
    balancer_cidr: str = ""
    """Addresses that the sandbox gives to Services of type LoadBalancer; empty where somebody else does that."""
    nodes: tuple[NodeRecord, ...] = ()


class Clusters(ABC):
    """All clusters of one sandbox."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable) -> None:
        self._paths = paths
        self._processes = processes
        self._book = ClusterBook(paths)

    def names(self) -> list[str]:
        """All of them, in the order of creation; those whose removal has begun are not among them."""
        return self._book.names()

    def delete(self, name: str) -> None:
        """Remove what was made for it; no such cluster is fine. Nothing else goes from a cluster that was there before."""
        with self._book.held(name) as record:
            if record is not None:
                self._remove(name, record)

    def _layout(self, name: str, record: ClusterRecord) -> ClusterLayout:
        return ClusterLayout.of(self._paths, name, record.index)

    @abstractmethod
    def prepare(self, progress: Callable[[str], None] | None = None) -> None:
        """Have what is needed to bring clusters up."""

    @abstractmethod
    def kubectl(self) -> Path | None:
        """A kubectl that fits; None when there is none."""

    @abstractmethod
    def create(self, name: str, *, token_webhook_url: str) -> ClusterInfo:
        """Bring up a cluster, or finish bringing it up; `token_webhook_url` is asked about AWS tokens."""

    @abstractmethod
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

    @abstractmethod
    def remove_node_group(self, name: str, group: str) -> None:
        """No such group is fine."""

    @abstractmethod
    def info(self, name: str) -> ClusterInfo:
        """Address and credentials; raises NotFoundError."""

    @abstractmethod
    def resume(self) -> None:
        """Bring back what should run; at any time."""

    @abstractmethod
    def pause_all(self) -> None:
        """Stop what runs, and keep what it holds."""

    @abstractmethod
    def _remove(self, name: str, record: ClusterRecord) -> None: ...


def read_authority(layout: ClusterLayout) -> str:
    """The authority's certificate; raises NotFoundError before it is made."""
    try:
        return (layout.pki / "ca.crt").read_text()
    except FileNotFoundError:
        raise NotFoundError(f"the cluster {layout.name} was never brought up", remedy="Create it again.") from None
