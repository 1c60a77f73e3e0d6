"""Every address, port, name and folder of a cluster, computed from its number.

Nothing here touches the machine. All of it is a promise to running clusters: changing a rule orphans what an older version started.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import UsageError
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import API_PORTS, HOST_ADDRESS

MAXIMUM_CLUSTERS = len(API_PORTS)
MAXIMUM_NODES = 16
KUBERNETES_VERSION = "1.35"
"""Minor version of what go/go.mod requires, as EKS names it. EKS gives it standard support until 27 March 2027.

It is the last one whose kubelet takes containerd 1.x, which Debian 12 has.
"""
CLUSTER_DOMAIN = "cluster.local"
RUNTIME_FOLDER = Path("/run/slipway")
"""Sockets and container state. Not under SLIPWAY_HOME: a socket's path may have 107 bytes only, and a reboot must empty it."""


CLUSTER_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
"""Source: CreateCluster, Amazon EKS API reference."""


def check_cluster_name(name: str) -> str:
    """The name of a cluster, which also names its folder. Raises UsageError for one that EKS would refuse."""
    if not CLUSTER_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a cluster: 1 to 100 letters, digits, hyphens and underscores")
    return name


def cluster_index(address: str) -> int | None:
    """The number of the cluster that a pod's or a node's address belongs to; None for any other address."""
    first, second, third, _ = ipaddress.IPv4Address(address).packed
    index = third - 10 if second == 87 else second - 90
    return index if first == 10 and 0 <= index < MAXIMUM_CLUSTERS else None


def kubernetes_folder(paths: SandboxPaths) -> Path:
    """Everything persistent of all clusters."""
    return paths.sandbox / "kubernetes"


def admission_pki(paths: SandboxPaths) -> Path:
    """Certificate of the admission webhook, one for all clusters, and its authority."""
    return kubernetes_folder(paths) / "admission"


@dataclass(frozen=True)
class ClusterLayout:
    """What belongs to one cluster."""

    name: str
    index: int
    folder: Path

    @classmethod
    def of(cls, paths: SandboxPaths, name: str, index: int) -> ClusterLayout:
        """The layout of cluster number `index`, 0 to 15."""
        if not 0 <= index < MAXIMUM_CLUSTERS:
            raise UsageError(f"cluster number {index} is outside 0 to {MAXIMUM_CLUSTERS - 1}")
        return cls(name, index, kubernetes_folder(paths) / "clusters" / check_cluster_name(name))

    @property
    def api_port(self) -> int:
        """On HOST_ADDRESS; the same port of 127.0.0.1 leads there."""
        return API_PORTS[self.index]

    @property
    def endpoint(self) -> str:
        """What the host's clients use."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def node_endpoint(self) -> str:
        """What nodes and pods use."""
        return f"https://{HOST_ADDRESS}:{self.api_port}"

    @property
    def pod_network(self) -> ipaddress.IPv4Network:
        """All pods of the cluster; routed on the host."""
        return ipaddress.IPv4Network(f"10.{90 + self.index}.0.0/16")

    @property
    def service_network(self) -> ipaddress.IPv4Network:
        """ClusterIPs; they mean something inside nodes only."""
        return ipaddress.IPv4Network(f"10.{110 + self.index}.0.0/16")

    @property
    def balancer_network(self) -> ipaddress.IPv4Network:
        """Addresses of Services of type LoadBalancer; routed on the host. Behind the links of 16 nodes, in the same /24."""
        return ipaddress.IPv4Network(f"10.87.{10 + self.index}.128/25")

    @property
    def kubernetes_service_address(self) -> str:
        """ClusterIP of the Service `kubernetes`: the first of the range, by the API server's own rule."""
        return str(self.service_network[1])

    @property
    def dns_address(self) -> str:
        """ClusterIP of the cluster's DNS."""
        return str(self.service_network[10])

    @property
    def etcd_prefix(self) -> str:
        """Keys of this cluster in the shared etcd."""
        return f"/slipway/{self.name}"

    @property
    def pki(self) -> Path:
        """Certificates, keys and the kubeconfigs made of them."""
        return self.folder / "pki"

    @property
    def admin_kubeconfig(self) -> Path:
        """Credentials of `system:masters`, readable by root only."""
        return self.pki / "admin.kubeconfig"

    def process(self, program: str) -> str:
        """Name of one of its processes in the process table."""
        return f"{self.name}-{program}"

    def node(self, number: int, region: str = "us-east-1") -> NodeLayout:
        """The layout of node `number`, 0 to 15; `region` shapes its name only."""
        if not 0 <= number < MAXIMUM_NODES:
            raise UsageError(f"{self.name}: node number {number} is outside 0 to {MAXIMUM_NODES - 1}")
        return NodeLayout(self, number, region)


@dataclass(frozen=True)
class NodeLayout:
    """What belongs to one node."""

    cluster: ClusterLayout
    number: int
    region: str

    @property
    def key(self) -> str:
        """Names the network namespace, the control group and the runtime folder."""
        suffix = f"-{self.number}" if self.number else ""
        return f"slipway-{self.cluster.index}{suffix}"

    @property
    def link(self) -> ipaddress.IPv4Network:
        """The four addresses between host and node."""
        return ipaddress.IPv4Network(f"10.87.{10 + self.cluster.index}.{4 * self.number}/30")

    @property
    def host_address(self) -> str:
        """The host's end of the link, the node's gateway."""
        return str(self.link[1])

    @property
    def address(self) -> str:
        """The node's InternalIP."""
        return str(self.link[2])

    @property
    def host_interface(self) -> str:
        """At most 15 bytes, as every interface name."""
        return f"slipway{self.cluster.index}n{self.number}"

    @property
    def pod_range(self) -> ipaddress.IPv4Network:
        """The part of the cluster's pod network that this node hands out: 4,094 addresses."""
        return ipaddress.IPv4Network(f"10.{90 + self.cluster.index}.{16 * self.number}.0/20")

    @property
    def name(self) -> str:
        """As EC2 names private hosts: `ip-10-87-10-2.ec2.internal`, with the region's name outside us-east-1."""
        domain = "ec2.internal" if self.region == "us-east-1" else f"{self.region}.compute.internal"
        return f"ip-{self.address.replace('.', '-')}.{domain}"

    @property
    def folder(self) -> Path:
        """Images, volumes, logs and configuration."""
        return self.cluster.folder / f"node-{self.number}"

    @property
    def runtime_folder(self) -> Path:
        """Sockets and container state."""
        return RUNTIME_FOLDER / self.key

    @property
    def containerd_socket(self) -> Path:
        """Of the node's own containerd."""
        return self.runtime_folder / "containerd.sock"

    @property
    def kubelet_folder(self) -> Path:
        """The kubelet's root: pods' volumes are mounted below it."""
        return self.folder / "kubelet"

    @property
    def kubelet_link(self) -> Path:
        """The same folder by a short name, which the kubelet is given: it makes sockets below it."""
        return self.runtime_folder / "kubelet"

    @property
    def cgroup(self) -> str:
        """Root of all its pods' control groups."""
        return f"/{self.key}"

    @property
    def cni_network(self) -> str:
        """Name of the pod network in CNI's records."""
        return f"{self.key}-pods"

    def process(self, program: str) -> str:
        """Name of one of its processes in the process table."""
        suffix = f"-{self.number}" if self.number else ""
        return self.cluster.process(f"{program}{suffix}")
