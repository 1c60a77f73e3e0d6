"""The clusters of a sandbox: created, resumed, paused and removed as a whole.

Every operation may be cut short anywhere and repeated: it starts from what it finds. Data is as safe as one disk: etcd has one member.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import httpx

from slipway.errors import NotFoundError, OperationError, UsageError
from slipway.log import get_logger
from slipway.sandbox.go_programs import CLUSTER_GROUPS, Binaries
from slipway.sandbox.kubernetes import network
from slipway.sandbox.kubernetes.addons import apply_addons, render_addons
from slipway.sandbox.kubernetes.api import ApiServer, drain
from slipway.sandbox.kubernetes.containerd import prepare_images
from slipway.sandbox.kubernetes.control_plane import ControlPlane
from slipway.sandbox.kubernetes.etcd import Etcd
from slipway.sandbox.kubernetes.layout import (
    KUBERNETES_VERSION,
    MAXIMUM_NODES,
    ClusterLayout,
    admission_pki,
    cluster_index,
)
from slipway.sandbox.kubernetes.node import Node
from slipway.sandbox.kubernetes.pki import ensure_admission_pki
from slipway.sandbox.kubernetes.state import AUTO_MODE, ClusterBook, ClusterRecord, NodeRecord, Taint
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.registry_access import RegistryAccess

NODES_PER_GROUP_VARIABLE = "SLIPWAY_SANDBOX_NODES_PER_GROUP"
"""How many real nodes a node group gets at most; 1 unless set, since a node costs about 200 MiB."""
AUTO_INSTANCE_TYPE = "c6a.large"

log = get_logger(__name__)


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
    service_cidr: str
    balancer_cidr: str
    """Addresses that the sandbox gives to Services of type LoadBalancer."""


class ClusterManager:
    """All clusters of one sandbox. Safe to use from several threads and processes at once."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable) -> None:
        self._paths = paths
        self._processes = processes
        self._book = ClusterBook(paths)
        self._binaries = Binaries(paths)
        self._etcd = Etcd(paths, processes)
        self._closed: frozenset[IPv4Network] = frozenset()

    def close_networks(self) -> None:
        """Keep pods out of networks that the machine has joined since its clusters were started. Cheap where there are none."""
        links = network.links()
        if links != self._closed and self.names():
            network.close_networks(links)
            self._closed = links

    def prepare(self, progress: Callable[[str], None] | None = None) -> None:
        """Build the programs, unless they are in the cache: about 10 minutes the first time on 2 cores."""
        self._binaries.prepare(progress, only=CLUSTER_GROUPS)
        prepare_images(self._binaries)

    def kubectl(self) -> Path:
        """The kubectl of the clusters' own version; its folder may go on a PATH."""
        return self._binaries.path("kubectl")

    def names(self) -> list[str]:
        """All of them, in the order of creation; those whose removal has begun are not among them."""
        return self._book.names()

    def create(self, name: str, *, token_webhook_url: str) -> ClusterInfo:
        """Bring up a control plane, or finish bringing it up. Returns when the API server is ready; it has no node yet.

        `token_webhook_url` is asked by POST of a TokenReview about each bearer token that is no service account's.
        """
        self.prepare()
        with self._book.held(name) as found:
            if found is not None and found.deleting:
                self._remove(name, found)
            record = self._book.allocate(name, token_webhook_url)
            self._start(name, record)
        return self.info(name)

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
        """Start the group's nodes, wait until they are Ready, and return their names.

        One real node stands for the group however many are desired, unless SLIPWAY_SANDBOX_NODES_PER_GROUP allows more; desired 0
        means none. Called again, it grows or shrinks the group. Labels, taints and zones of nodes that run already stay.
        """
        count = min(desired, nodes_per_group(os.environ.get(NODES_PER_GROUP_VARIABLE, "1")))
        with self._book.lock(name):
            record = self._book.get(name)
            present = list(record.group(group))
            for surplus in present[count:]:
                record = self._remove_node(name, record, surplus)
            free = (number for number in range(MAXIMUM_NODES) if number not in {node.number for node in record.nodes})
            added = [
                NodeRecord(
                    number=next(free),
                    group=group,
                    zone=zones[position % len(zones)],
                    instance_type=instance_type,
                    labels=dict(labels or {}),
                    taints=tuple(taints),
                )
                for position in range(len(present), count)
            ]
            if added:
                record = record.model_copy(update={"nodes": (*record.nodes, *added)})
                self._book.put(name, record)
            nodes = [self._node(name, record, node) for node in record.group(group)]
            for node in nodes:
                node.start()
            self._route_balancers(name, record)
            for node in nodes:
                node.wait_ready()
        log.info("node group ready", cluster=name, group=group, nodes=len(nodes), desired=desired)
        return [node.layout.name for node in nodes]

    def add_auto_nodes(self, name: str, *, zones: Sequence[str]) -> list[str]:
        """Nodes as EKS Auto Mode makes them; as many as a node group may have."""
        return self.add_node_group(name, AUTO_MODE, MAXIMUM_NODES, zones=zones, instance_type=AUTO_INSTANCE_TYPE)

    def remove_auto_nodes(self, name: str) -> None:
        """Drain and remove them; none is fine."""
        self.remove_node_group(name, AUTO_MODE)

    def remove_node_group(self, name: str, group: str) -> None:
        """Drain and remove the group's nodes; no such group is fine."""
        with self._book.lock(name):
            record = self._book.get(name)
            for node in record.group(group):
                record = self._remove_node(name, record, node)

    def delete(self, name: str) -> None:
        """Remove everything of the cluster; no such cluster is fine."""
        with self._book.held(name) as record:
            if record is not None:
                self._remove(name, record)

    def info(self, name: str) -> ClusterInfo:
        """The cluster's address and credentials; raises NotFoundError."""
        record = self._book.get(name)
        layout = self._layout(name, record)
        try:
            ca_pem = (layout.pki / "ca.crt").read_text()
        except FileNotFoundError:
            raise NotFoundError(f"the cluster {name} was never brought up", remedy="Create it again.") from None
        return ClusterInfo(
            name=name,
            index=record.index,
            endpoint=layout.endpoint,
            ca_pem=ca_pem,
            admin_kubeconfig=layout.admin_kubeconfig,
            service_cidr=str(layout.service_network),
            balancer_cidr=str(layout.balancer_network),
        )

    def numbers(self) -> dict[str, int]:
        """Each cluster's number, which its interfaces and addresses are made of."""
        return {name: record.index for name, record in self._book.all().items() if not record.deleting}

    def name_of(self, address: str) -> str | None:
        """The cluster of a pod or node with this address; None for any other address."""
        index = cluster_index(address)
        return next((name for name, number in self.numbers().items() if number == index), None)

    def zone_of(self, address: str) -> str | None:
        """The availability zone of the node with this address, or of the pod on it; None for any other address."""
        index, given = cluster_index(address), IPv4Address(address)
        for name, record in self._book.all().items():
            for node in record.nodes if record.index == index else ():
                layout = self._layout(name, record).node(node.number, node.region)
                if given in layout.pod_range or address == layout.address:
                    return node.zone
        return None

    def review_token(self, name: str, token: str, audience: str) -> dict[str, Any]:
        """Ask a cluster whose service-account token this is: a TokenReview's status. Raises NotFoundError, OperationError."""
        api = ApiServer(self._layout(name, self._book.get(name)).admin_kubeconfig)
        try:
            return api.review_token(token, audience)
        except httpx.HTTPError as error:
            raise OperationError(f"the API server of {name} does not answer: {error}") from error

    def resume(self) -> None:
        """Bring back everything that should run, after a stop, a crash or a reboot; finish what was being removed.

        What runs is left alone, so that this may be called at any time.
        """
        names = list(self._book.all())
        if not names:
            return
        self.prepare()
        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            # The list re-raises the first failure, after all have been tried.
            list(pool.map(self._resume, names))

    def pause_all(self) -> None:
        """Stop every process of every cluster and take their networks away; what they hold stays on disk."""
        for name in self._book.all():
            with self._book.held(name) as record:
                if record is None:
                    continue
                layout = self._layout(name, record)
                for node in record.nodes:
                    self._node(name, record, node).stop()
                self._control_plane(layout).stop()
                network.remove_cluster(layout)
        network.remove_host()
        self._etcd.stop()

    def _resume(self, name: str) -> None:
        with self._book.held(name) as record:
            if record is None:
                return
            if record.deleting:
                self._remove(name, record)
                return
            self._start(name, record)
            for node in record.nodes:
                self._node(name, record, node).wait_ready()

    def _start(self, name: str, record: ClusterRecord) -> None:
        started = time.monotonic()
        layout = self._layout(name, record)
        layout.folder.mkdir(parents=True, exist_ok=True)
        network.ensure_host()
        network.ensure_cluster(layout)
        with self._book.lock_etcd():
            self._etcd.start()
        nodes = [self._node(name, record, node) for node in record.nodes]
        with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
            runtimes = [pool.submit(node.start_runtime) for node in nodes]
            self._control_plane(layout).start(record.token_webhook_url)
            for runtime in runtimes:
                runtime.result()
        log.info("control plane ready", cluster=name, seconds=round(time.monotonic() - started, 1))
        for node in nodes:
            node.start()
        self._route_balancers(name, record)
        self._apply_addons(layout)

    def _apply_addons(self, layout: ClusterLayout) -> None:
        authority = ensure_admission_pki(admission_pki(self._paths)) / "ca.crt"
        manifests = render_addons(layout, authority.read_bytes())
        digest = hashlib.sha256(manifests.encode()).hexdigest()
        marker = layout.folder / "addons.applied"
        if not marker.is_file() or marker.read_text() != digest:
            apply_addons(layout, self._binaries, manifests)
            marker.write_text(digest)

    def _remove(self, name: str, record: ClusterRecord) -> None:
        self._book.put(name, record.model_copy(update={"deleting": True}))
        layout = self._layout(name, record)
        for node in record.nodes:
            self._node(name, record, node).remove()
        self._control_plane(layout).stop()
        network.remove_cluster(layout)
        with self._book.lock_etcd():
            self._etcd.start()
            self._etcd.forget(layout)
            shutil.rmtree(layout.folder, ignore_errors=True)
            self._book.forget(name)
            if not self._book.all():
                self._etcd.stop()
                network.remove_host()
        log.info("cluster removed", cluster=name)

    def _remove_node(self, name: str, record: ClusterRecord, node: NodeRecord) -> ClusterRecord:
        found = self._node(name, record, node)
        layout = self._layout(name, record)
        api = ApiServer(layout.admin_kubeconfig)
        if len(record.nodes) > 1 and api.is_ready():
            drain(self.kubectl(), layout.admin_kubeconfig, found.layout.name)
        found.remove()
        if api.is_ready():
            api.delete(f"/api/v1/nodes/{found.layout.name}")
        nodes = tuple(other for other in record.nodes if other.number != node.number)
        record = record.model_copy(update={"nodes": nodes})
        self._book.put(name, record)
        self._route_balancers(name, record)
        return record

    def _route_balancers(self, name: str, record: ClusterRecord) -> None:
        layout = self._layout(name, record)
        network.route_balancers(layout, [layout.node(node.number, node.region) for node in record.nodes])

    def _layout(self, name: str, record: ClusterRecord) -> ClusterLayout:
        return ClusterLayout.of(self._paths, name, record.index)

    def _control_plane(self, layout: ClusterLayout) -> ControlPlane:
        return ControlPlane(layout, self._etcd, self._binaries, self._processes)

    def _node(self, name: str, record: ClusterRecord, node: NodeRecord) -> Node:
        layout = self._layout(name, record).node(node.number, node.region)
        return Node(layout, node, self._binaries, RegistryAccess(self._paths), self._processes)


def nodes_per_group(setting: str) -> int:
    """The number that SLIPWAY_SANDBOX_NODES_PER_GROUP says; raises UsageError unless it is 1 to 16."""
    if not setting.isdecimal() or not 1 <= int(setting) <= MAXIMUM_NODES:
        raise UsageError(
            f"{setting!r} is not a whole number from 1 to {MAXIMUM_NODES}",
            where=NODES_PER_GROUP_VARIABLE,
            remedy="Unset it for one node per group.",
        )
    return int(setting)
