"""Every address and port that the sandbox listens on, and who may connect. Nothing listens on all addresses, nor on IPv6."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
HOST_ADDRESS = "10.87.0.1"
"""The machine's address for pods: on the loopback device, routed from every node's network namespace, closed to everybody else."""
LOAD_BALANCER_NETWORK = "127.0.10"
"""The first three bytes; one address per load balancer."""

AWS_PORT = 4566
PROVIDER_PORTS: Mapping[str, int] = {"aws": 4567, "docker": 4568}
"""Where the daemon serves the stand-in providers, by package."""
REGISTRY_PORT = 5000
REGISTRY_BACKEND_PORT = 5001
DATABASE_PORTS = range(15432, 16432)
ETCD_PORT = 23790
API_PORTS = range(6443, 6603, 10)
"""One for each of 16 clusters."""
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
PROXY_METRICS_PORT = 10249
PROXY_HEALTH_PORT = 10256
ANY_PORT = range(1, 65536)

THIS_MACHINE = "this machine"
WITH_PODS = "this machine, pods"


@dataclass(frozen=True, kw_only=True)
class Listener:
    """What one kind of process listens on."""

    what: str
    process: str
    """Its name in the process table, as a pattern."""
    account: str = "root"
    """Of the processes that serve requests. HAProxy's master stays root, and serves its private socket only."""
    networks: tuple[str, ...] = (f"{LOOPBACK}/32",)
    ports: Collection[int]
    clients: str = THIS_MACHINE
    """Who gets through to it. Most ask for credentials then."""


BOTH = (f"{LOOPBACK}/32", f"{HOST_ADDRESS}/32")
LISTENERS = (
    Listener(what="AWS API", process="daemon", networks=BOTH, ports=(AWS_PORT,), clients=WITH_PODS),
    Listener(what="Pulumi providers", process="daemon", ports=tuple(PROVIDER_PORTS.values())),
    Listener(
        what="image registry",
        process="registry-proxy",
        account="haproxy",
        networks=BOTH,
        ports=(REGISTRY_PORT,),
        clients=WITH_PODS,
    ),
    Listener(
        what="image registry's store", process="registry", account="docker-registry", ports=(REGISTRY_BACKEND_PORT,)
    ),
    Listener(
        what="databases",
        process="postgres-*",
        account="postgres",
        networks=BOTH,
        ports=DATABASE_PORTS,
        clients=WITH_PODS,
    ),
    Listener(
        what="load balancers",
        process="haproxy",
        account="haproxy",
        networks=(f"{LOAD_BALANCER_NETWORK}.0/24",),
        ports=ANY_PORT,
    ),
    Listener(what="etcd, clients with its certificate", process="etcd", account="etcd", ports=(ETCD_PORT,)),
    # The same ports of 127.0.0.1 lead there: an API server takes one address only.
    Listener(
        what="Kubernetes API",
        process="*-kube-apiserver",
        networks=(f"{HOST_ADDRESS}/32",),
        ports=API_PORTS,
        clients=WITH_PODS,
    ),
    Listener(
        what="kubelet",
        process="*-kubelet*",
        networks=("10.87.0.0/16",),
        ports=(KUBELET_PORT,),
        clients=f"{WITH_PODS}; it asks for a certificate or token",
    ),
    Listener(what="kubelet's health", process="*-kubelet*", ports=(KUBELET_HEALTH_PORT,), clients="the node itself"),
    Listener(
        what="kube-proxy's health and metrics",
        process="*-kube-proxy*",
        ports=(PROXY_METRICS_PORT, PROXY_HEALTH_PORT),
        clients="the node itself",
    ),
    Listener(
        what="containerd's streams",
        process="*-containerd*",
        ports=ANY_PORT,
        clients="the node itself",
    ),
)


def debug_providers(ports: Mapping[str, int] = PROVIDER_PORTS) -> str:
    """PULUMI_DEBUG_PROVIDERS: makes Pulumi's engine attach to the daemon's providers. Other ports are in `endpoint.json`."""
    return ",".join(f"{package}:{port}" for package, port in ports.items())
