"""Network of a node: a namespace, one link to the host, routes and address translation. All of it is gone after a reboot and made again.

Pods keep their own addresses towards the host and each other; only what leaves the machine is translated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slipway.sandbox.administration import run
from slipway.sandbox.firewall import INTERFACES, PODS_CHAIN, ensure_chain, ensure_rule, remove_chain, remove_rule
from slipway.sandbox.host_address import add_host_address
from slipway.sandbox.kubernetes.layout import ClusterLayout, NodeLayout
from slipway.sandbox.ports import HOST_ADDRESS, LOOPBACK

KERNEL_SETTINGS = {
    "net/ipv4/ip_forward": 1,
    # Each kubelet, API server and container runtime watches files; Linux allows one user 128 watchers by default.
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 524288,
}


def ensure_host() -> None:
    """Give the machine its sandbox address and let it forward."""
    add_host_address()
    for name, value in KERNEL_SETTINGS.items():
        setting = Path("/proc/sys") / name
        if int(setting.read_text()) < value:
            setting.write_text(str(value))
    ensure_chain(PODS_CHAIN)


def remove_host() -> None:
    """Take back the machine's rules. Its address and the kernel's settings stay: others may have come to need them."""
    remove_chain(PODS_CHAIN)


def ensure_cluster(layout: ClusterLayout) -> None:
    """Let the cluster's pods out, and this machine's clients in to its API server."""
    for rule in _cluster_rules(layout):
        ensure_rule(*rule)


def remove_cluster(layout: ClusterLayout) -> None:
    """Take back the cluster's rules."""
    for rule in _cluster_rules(layout):
        remove_rule(*rule)


def _cluster_rules(layout: ClusterLayout) -> list[tuple[str, ...]]:
    links = f"10.87.{10 + layout.index}.0/24"
    escape = ("!", "-o", INTERFACES, "-j", "MASQUERADE")
    port = ("-p", "tcp", "--dport", str(layout.api_port))
    return [
        ("nat", "POSTROUTING", "-s", str(layout.pod_network), *escape),
        ("nat", "POSTROUTING", "-s", links, *escape),
        # The API server listens on one address only. Clients of this machine know it by the one that no proxy setting concerns.
        ("nat", "OUTPUT", "-d", LOOPBACK, *port, "-j", "DNAT", "--to-destination", HOST_ADDRESS),
    ]


def ensure_node(node: NodeLayout) -> None:
    """The namespace, its link, and both directions of routing; what is there already stays untouched."""
    if not (Path("/run/netns") / node.key).exists():
        run("ip", "netns", "add", node.key)
    if run("ip", "-n", node.key, "link", "show", "eth0", check=False).returncode != 0:
        # Deleting one end deletes both: a link that was cut short half-way is made again from nothing.
        run("ip", "link", "delete", node.host_interface, check=False)
        peer = ["peer", "name", "eth0", "netns", node.key]
        run("ip", "link", "add", node.host_interface, "type", "veth", *peer)
    prefix = node.link.prefixlen
    for namespace, interface, address in (
        (None, node.host_interface, node.host_address),
        (node.key, "eth0", node.address),
    ):
        _ip(namespace, "address", "replace", f"{address}/{prefix}", "dev", interface)
        _ip(namespace, "link", "set", interface, "up")
    _ip(node.key, "link", "set", "lo", "up")
    _ip(node.key, "route", "replace", "default", "via", node.host_address)
    _ip(None, "route", "replace", str(node.pod_range), "via", node.address)
    # /proc/sys/net shows the namespace of whoever looks.
    inside = ["nsenter", f"--net=/run/netns/{node.key}", "sysctl", "-qw"]
    run(*inside, "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")


def route_balancers(layout: ClusterLayout, nodes: Sequence[NodeLayout]) -> None:
    """Lead the addresses of the cluster's load-balanced Services to its first node, whose kube-proxy serves them all."""
    if nodes:
        _ip(None, "route", "replace", str(layout.balancer_network), "via", nodes[0].address)
    else:
        run("ip", "route", "delete", str(layout.balancer_network), check=False)


def remove_node(node: NodeLayout) -> None:
    """Namespace, link and route; the kernel drops routes and far ends by itself."""
    run("ip", "link", "delete", node.host_interface, check=False)
    if (Path("/run/netns") / node.key).exists():
        run("ip", "netns", "delete", node.key)


def _ip(namespace: str | None, *arguments: str) -> None:
    inside: Sequence[str] = ("-n", namespace) if namespace else ()
    run("ip", *inside, *arguments)


def resolver_lines(resolv_conf: str) -> list[str]:
    """The lines of a resolv.conf that mean something inside a namespace: nameservers that are not loopback addresses."""
    fields = [line.split() for line in resolv_conf.splitlines()]
    servers = [field[1] for field in fields if len(field) > 1 and field[0] == "nameserver"]
    return [f"nameserver {server}" for server in servers if not server.startswith("127.") and server != "::1"]
