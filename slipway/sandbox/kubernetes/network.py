"""Network of a node: a namespace, one link to the host, routes and address translation. All of it is gone after a reboot and made again.

Pods keep their own addresses towards the host and each other; only what leaves the machine is translated.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from ipaddress import IPv4Network
from pathlib import Path

import psutil

from slipway.sandbox.administration import run
from slipway.sandbox.firewall import INTERFACES, Chain, ensure_chain, ensure_rule, remove_chain, remove_rule
from slipway.sandbox.host_address import add_host_address
from slipway.sandbox.kubernetes.layout import ClusterLayout, NodeLayout
from slipway.sandbox.packet_rules import forward_chain
from slipway.sandbox.ports import AWS_PORT, HOST_ADDRESS, LOOPBACK, POD_IDENTITY_ADDRESS
from slipway.sandbox.resolvers import machine_nameservers

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
    close_networks(links())


def close_networks(networks: Collection[IPv4Network]) -> None:
    """Let pods out, but not to these networks of the machine's own interfaces."""
    ensure_chain(forward_chain(machine_nameservers(), networks))


def remove_host() -> None:
    """Take back the machine's rules. Its address and the kernel's settings stay: others may have come to need them."""
    chain = forward_chain([], [])
    remove_chain(chain.name, hook=chain.hook)


def links() -> frozenset[IPv4Network]:
    """The networks of the machine's own interfaces."""
    addresses = [each for found in psutil.net_if_addrs().values() for each in found if each.family == socket.AF_INET]
    found = (IPv4Network(f"{each.address}/{each.netmask}", strict=False) for each in addresses if each.netmask)
    return frozenset(network for network in found if network.prefixlen)


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
    for chain in node_chains(node):
        ensure_chain(chain, namespace=node.key)
    # The filter knows IPv4; over the link's own IPv6 addresses a node would reach what listens there.
    if (setting := Path(f"/proc/sys/net/ipv6/conf/{node.host_interface}/disable_ipv6")).exists():
        setting.write_text("1")


def node_chains(node: NodeLayout) -> list[Chain]:
    """Rules inside a node: a pod sends under an address of this node only, and finds EKS's Pod Identity agent at its usual address."""
    agent = f"-d {POD_IDENTITY_ADDRESS} -p tcp --dport 80 -j DNAT --to-destination {HOST_ADDRESS}:{AWS_PORT}"
    sources = ["-i lo -j RETURN", "-i eth0 -j RETURN", f"! -s {node.pod_range} -j DROP"]
    return [
        Chain("SLIPWAY-SOURCES", sources, hook="PREROUTING", table="raw"),
        Chain("SLIPWAY-IDENTITY", [agent], hook="PREROUTING", table="nat"),
    ]


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
