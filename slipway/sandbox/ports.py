"""Every address and port that the sandbox listens on, and who may connect. Nothing listens on all addresses, nor on IPv6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

LOOPBACK = "127.0.0.1"
HOST_ADDRESS = "10.87.0.1"
"""The machine's address for pods: on the loopback device, routed from every node's network namespace, closed to everybody else."""
POD_IDENTITY_ADDRESS = "169.254.170.23"
"""Where a pod finds EKS's Pod Identity agent, on port 80. Each node leads it to the AWS API. Source: EKS user guide."""
LOAD_BALANCER_NETWORK = "127.0.10"
"""The first three bytes; one address per load balancer."""

AWS_PORT = 4566
PROVIDER_PORTS: Mapping[str, int] = {"aws": 4567, "docker": 4568}
"""Where the daemon serves the stand-in providers, by package."""
REGISTRY_PORT = 5000
DATABASE_PORTS = range(15432, 16432)
ETCD_PORT = 23790
API_PORTS = range(6443, 6603, 10)
"""One for each of 16 clusters."""
ADMISSION_PORT = 4569
LOGIN_PORT = 972
"""Where PostgreSQL asks about tokens. Below 1024, so that no other account answers while the daemon is away."""
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
PROXY_METRICS_PORT = 10249
PROXY_HEALTH_PORT = 10256
ANY_PORT = range(1, 65536)


class Clients(StrEnum):
    """Who gets through to a listener. Most listeners ask for credentials then."""

    MACHINE = "this machine"
    NODE = "the node itself"
    NODES = "this machine, nodes"
    PODS = "this machine, nodes and pods"
    OWN_PODS = "this machine, nodes and pods of its cluster"
    ADMITTED_PODS = "this machine, nodes and pods that its security groups admit"


@dataclass(frozen=True)
class Listener:
    """What one kind of process listens on."""

    what: str
    process: str
    """Its name in the process table, as a pattern."""
    account: str
    """Of the processes that serve requests. HAProxy's master stays root, and serves its private socket only."""
    networks: tuple[str, ...]
    ports: Sequence[int]
    clients: Clients


NODE_NETWORK = "10.87.0.0/16"
_OWN, _HOST, _NODES = (f"{LOOPBACK}/32",), (f"{HOST_ADDRESS}/32",), (NODE_NETWORK,)
_BALANCERS = (f"{LOAD_BALANCER_NETWORK}.0/24",)
LISTENERS = (
    Listener("AWS API", "daemon", "root", _OWN + _HOST, (AWS_PORT,), Clients.PODS),
    Listener("Pulumi providers", "daemon", "root", _OWN, tuple(PROVIDER_PORTS.values()), Clients.MACHINE),
    Listener("admission webhook", "daemon", "root", _OWN, (ADMISSION_PORT,), Clients.MACHINE),
    Listener("logins to databases by tokens", "daemon", "root", _OWN, (LOGIN_PORT,), Clients.MACHINE),
    Listener(
        "image registry, with credentials",
        "registry-proxy",
        "docker-registry",
        _OWN + _HOST,
        (REGISTRY_PORT,),
        Clients.NODES,
    ),
    Listener("databases", "postgres-*", "postgres", _OWN + _HOST, DATABASE_PORTS, Clients.ADMITTED_PODS),
    Listener("load balancers", "haproxy", "haproxy", _BALANCERS, ANY_PORT, Clients.MACHINE),
    Listener("etcd, with its client certificate", "etcd", "etcd", _OWN, (ETCD_PORT,), Clients.MACHINE),
    # The same ports of 127.0.0.1 lead there: an API server takes one address only.
    Listener("Kubernetes API", "*-kube-apiserver", "slipway-kubernetes", _HOST, API_PORTS, Clients.OWN_PODS),
    Listener("kubelet, with a certificate or token", "*-kubelet*", "root", _NODES, (KUBELET_PORT,), Clients.OWN_PODS),
    Listener("kubelet's health", "*-kubelet*", "root", _OWN, (KUBELET_HEALTH_PORT,), Clients.NODE),
    Listener("kube-proxy", "*-kube-proxy*", "root", _OWN, (PROXY_METRICS_PORT, PROXY_HEALTH_PORT), Clients.NODE),
    Listener("containerd's streams", "*-containerd*", "root", _OWN, ANY_PORT, Clients.NODE),
)


def debug_providers(ports: Mapping[str, int] = PROVIDER_PORTS) -> str:
    """PULUMI_DEBUG_PROVIDERS: makes Pulumi's engine attach to the daemon's providers. Other ports are in `endpoint.json`."""
    return ",".join(f"{package}:{port}" for package, port in ports.items())
