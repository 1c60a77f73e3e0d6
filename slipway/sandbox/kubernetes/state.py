"""Which clusters exist, by number: one JSON file, replaced atomically, written under a lock that other processes respect too."""

from __future__ import annotations

import fcntl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from slipway.errors import MachineError, NotFoundError, OperationError
from slipway.sandbox.kubernetes.layout import MAXIMUM_CLUSTERS, check_cluster_name, kubernetes_folder
from slipway.sandbox.paths import SandboxPaths


class Taint(BaseModel, frozen=True):
    """A node's taint, with Kubernetes' own effects: NoSchedule, PreferNoSchedule, NoExecute."""

    key: str
    value: str = ""
    effect: str


AUTO_MODE = "eks:auto"
"""The group of nodes that EKS Auto Mode runs; no node group may have a colon in its name."""
AUTO_LABELS = {
    "eks.amazonaws.com/compute-type": "auto",
    "eks.amazonaws.com/nodeclass": "default",
    "karpenter.sh/capacity-type": "on-demand",
    "karpenter.sh/nodepool": "general-purpose",
}


class NodeRecord(BaseModel, frozen=True):
    """One node that is wanted."""

    number: int
    group: str
    """Name of the EKS node group it stands for, or AUTO_MODE."""
    zone: str = "us-east-1a"
    instance_type: str = "t3.medium"
    """A label only: the node offers what the machine has."""
    labels: dict[str, str] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    @property
    def region(self) -> str:
        """The zone without its letter."""
        return self.zone.rstrip("abcdefghijklmnopqrstuvwxyz")

    @property
    def all_labels(self) -> dict[str, str]:
        """Those that EKS gives a managed node, or one of Auto Mode, and the group's own."""
        kind = (
            AUTO_LABELS
            if self.group == AUTO_MODE
            else {"eks.amazonaws.com/nodegroup": self.group, "eks.amazonaws.com/capacityType": "ON_DEMAND"}
        )
        return {
            **kind,
            "node.kubernetes.io/instance-type": self.instance_type,
            "topology.kubernetes.io/region": self.region,
            "topology.kubernetes.io/zone": self.zone,
            **self.labels,
        }


class ClusterRecord(BaseModel, frozen=True):
    """One cluster that is wanted, or whose removal has begun."""

    index: int
    token_webhook_url: str
    nodes: tuple[NodeRecord, ...] = ()
    deleting: bool = False
    """Set before anything is removed, so that a removal that was cut short is finished and never resumed as a cluster."""

    def group(self, name: str) -> Sequence[NodeRecord]:
        """The nodes of one node group."""
        return [node for node in self.nodes if node.group == name]


class _Book(BaseModel):
    clusters: dict[str, ClusterRecord] = Field(default_factory=dict)


class ClusterBook:
    """The file of all cluster records. Reads see a whole file; changes are serialised across threads and processes."""

    def __init__(self, paths: SandboxPaths) -> None:
        self._folder = kubernetes_folder(paths)
        self._path = self._folder / "clusters.json"

    def all(self) -> dict[str, ClusterRecord]:
        """Every record by name, in the order of creation."""
        try:
            return _Book.model_validate_json(self._path.read_text()).clusters
        except FileNotFoundError:
            return {}
        except ValidationError as error:
            raise MachineError(
                f"not a list of clusters: {error.errors()[0]['msg']}",
                where=str(self._path),
                remedy="Run `slipway sandbox reset`.",
            ) from error

    def names(self) -> list[str]:
        """All clusters, in the order of creation; those whose removal has begun are not among them."""
        return [name for name, record in self.all().items() if not record.deleting]

    def get(self, name: str) -> ClusterRecord:
        """The record of one cluster; raises NotFoundError."""
        record = self.all().get(name)
        if record is None:
            raise NotFoundError(f"no sandbox cluster is named {name}", remedy="Create it, or choose one that exists.")
        return record

    def allocate(self, name: str, token_webhook_url: str) -> ClusterRecord:
        """The cluster's record; a new name gets the lowest free number."""
        with self._changing() as book:
            record = book.clusters.get(name)
            if record is None:
                taken = {other.index for other in book.clusters.values()}
                free = next((index for index in range(MAXIMUM_CLUSTERS) if index not in taken), None)
                if free is None:
                    raise OperationError(f"the sandbox holds {MAXIMUM_CLUSTERS} clusters", remedy="Delete one first.")
                record = ClusterRecord(index=free, token_webhook_url=token_webhook_url)
            elif record.token_webhook_url != token_webhook_url:
                record = record.model_copy(update={"token_webhook_url": token_webhook_url})
            book.clusters[name] = record
            return record

    def put(self, name: str, record: ClusterRecord) -> None:
        """Replace the record of a cluster."""
        with self._changing() as book:
            book.clusters[name] = record

    def forget(self, name: str) -> None:
        """Free the name and the number."""
        with self._changing() as book:
            book.clusters.pop(name, None)

    @contextmanager
    def lock(self, name: str) -> Generator[None]:
        """One change of a cluster at a time, among all threads and processes; freed by the kernel when its holder dies."""
        with _locked(self._folder / "locks" / check_cluster_name(name)):
            yield

    @contextmanager
    def lock_etcd(self) -> Generator[None]:
        """One start or stop of the clusters' etcd at a time; no cluster can have the name."""
        with _locked(self._folder / "locks" / ".etcd"):
            yield

    @contextmanager
    def held(self, name: str) -> Generator[ClusterRecord | None]:
        """The lock of a cluster, and its record as it is under that lock; None: there is no such cluster."""
        with self.lock(name):
            yield self.all().get(name)

    @contextmanager
    def _changing(self) -> Generator[_Book]:
        with _locked(self._folder / "locks" / ".book"):
            book = _Book(clusters=self.all())
            yield book
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(book.model_dump_json(indent=1))
            temporary.replace(self._path)


@contextmanager
def _locked(path: Path) -> Generator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
