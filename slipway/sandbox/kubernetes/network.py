"""Network of a node: a namespace, one link to the host, routes and address translation. All of it is gone after a reboot and made again.

Pods keep their own addresses towards the host and each other; only what leaves the machine is translated.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from slipway.errors import MachineError, OperationError
from slipway.sandbox.kubernetes.layout import ClusterLayout, NodeLayout
from slipway.sandbox.paths import HOST_ADDRESS

COMMAND_TIMEOUT_SECONDS = 30
INTERFACES = "slipway+"
"""Every node's interface on the host, in iptables' notation."""
KERNEL_SETTINGS = {
    "net/ipv4/ip_forward": 1,
    # Each kubelet, API server and container runtime watches files; Linux allows one user 128 watchers by default.
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 524288,
}

# Docker sets the chain's policy to DROP; its own rules come after these.
HOST_RULES = (
    ("filter", "FORWARD", "-i", INTERFACES, "-j", "ACCEPT"),
    ("filter", "FORWARD", "-o", INTERFACES, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"),
)


def run(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one administrative command; raises OperationError with what it said, MachineError when it is not installed."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS, check=False)
    except FileNotFoundError as error:
        raise MachineError(f"{argv[0]} is not installed", remedy=f"Install the package that has {argv[0]}.") from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"`{' '.join(argv)}` did not end within {COMMAND_TIMEOUT_SECONDS} s") from error
    if check and done.returncode != 0:
        raise OperationError(f"`{' '.join(argv)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done


def ensure_host() -> None:
    """Give the machine its sandbox address and let it forward."""
    run("ip", "address", "replace", f"{HOST_ADDRESS}/32", "dev", "lo")
    for name, value in KERNEL_SETTINGS.items():
        setting = Path("/proc/sys") / name
        if int(setting.read_text()) < value:
            setting.write_text(str(value))
    for rule in HOST_RULES:
        _ensure_rule(*rule)


def remove_host() -> None:
    """Take back the machine's rules. Its address and the kernel's settings stay: others may have come to need them."""
    for rule in HOST_RULES:
        _remove_rule(*rule)


def ensure_cluster(layout: ClusterLayout) -> None:
    """Let the cluster's pods out, and nobody from outside in to its API server."""
    for rule in _cluster_rules(layout):
        _ensure_rule(*rule)


def remove_cluster(layout: ClusterLayout) -> None:
    """Take back the cluster's rules."""
    for rule in _cluster_rules(layout):
        _remove_rule(*rule)


def _cluster_rules(layout: ClusterLayout) -> list[tuple[str, ...]]:
    port = ("-p", "tcp", "--dport", str(layout.api_port))
    links = f"10.87.{10 + layout.index}.0/24"
    escape = ("!", "-o", INTERFACES, "-j", "MASQUERADE")
    return [
        ("nat", "POSTROUTING", "-s", str(layout.pod_network), *escape),
        ("nat", "POSTROUTING", "-s", links, *escape),
        # Inserted one above the other: the last one here is looked at first. The API server listens on every address because it
        # takes one only, and needs two.
        ("filter", "INPUT", *port, "-j", "DROP"),
        ("filter", "INPUT", *port, "-i", INTERFACES, "-j", "ACCEPT"),
        ("filter", "INPUT", *port, "-i", "lo", "-j", "ACCEPT"),
    ]


def _ensure_rule(table: str, chain: str, *rule: str) -> None:
    if run("iptables", "-w", "-t", table, "-C", chain, *rule, check=False).returncode != 0:
        run("iptables", "-w", "-t", table, "-I", chain, *rule)


def _remove_rule(table: str, chain: str, *rule: str) -> None:
    while run("iptables", "-w", "-t", table, "-C", chain, *rule, check=False).returncode == 0:
        run("iptables", "-w", "-t", table, "-D", chain, *rule)


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
