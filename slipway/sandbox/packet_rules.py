"""What pods and nodes may reach, as rules of the packet filter, made from the table of ports.

A pod is known by the interface of its node, which drops what a pod sends under another address than its own. The rules decide about new
connections; those that were let in go on, as with AWS's security groups.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, collapse_addresses

from slipway.sandbox.firewall import INTERFACES, Chain, cluster_interfaces
from slipway.sandbox.ports import API_PORTS, HOST_ADDRESS, LISTENERS, NODE_NETWORK, Clients, Listener

DATABASES = "SLIPWAY-DATABASES"
DNS_PORT = 53
KNOWN = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
MULTIPORT_LIMIT = 15
"""Ports in one rule; source: iptables-extensions(8)."""
SPECIAL_NETWORKS = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
"""Not of the internet: private, link-local, multicast and the like. Source: RFC 6890, and RFC 5771 for multicast."""


def host_chain(resolvers: Sequence[str]) -> Chain:
    """For packets to this machine. `resolvers`: its DNS servers, some of which may be its own."""
    return Chain(
        "SLIPWAY-HOST",
        [
            f"-d {HOST_ADDRESS} -i lo -j ACCEPT",
            f"-i {INTERFACES} {KNOWN}",
            *(rule for listener in LISTENERS if f"{HOST_ADDRESS}/32" in listener.networks for rule in _to(listener)),
            *_to_resolvers(resolvers),
            f"-i {INTERFACES} -j DROP",
            # The kernel takes packets to any of its addresses from any link.
            f"-d {HOST_ADDRESS} -j DROP",
        ],
        hook="INPUT",
    )


def forward_chain(resolvers: Sequence[str], links: Collection[IPv4Network]) -> Chain:
    """For packets through this machine. `links`: the networks of its own interfaces.

    Asked first, since Docker sets the policy to DROP.
    """
    closed = collapse_addresses([*SPECIAL_NETWORKS, *links])
    clusters = [cluster_interfaces(index) for index in range(len(API_PORTS))]
    return Chain(
        "SLIPWAY-PODS",
        [
            f"-o {INTERFACES} {KNOWN}",
            *(f"-i {own} -o {own} -j ACCEPT" for own in clusters),
            f"-o {INTERFACES} -j DROP",
            *_to_resolvers(resolvers),
            # Nodes pull images, through a proxy or mirror of the machine's network where there is one.
            *(f"-i {INTERFACES} ! -s {NODE_NETWORK} -d {network} -j DROP" for network in closed),
            f"-i {INTERFACES} -j ACCEPT",
        ],
        hook="FORWARD",
    )


def databases_chain(ports: Mapping[int, Collection[int]]) -> Chain:
    """For packets to databases: by a cluster's number, the ports of those that admit it."""
    return Chain(
        DATABASES,
        [
            f"-i {cluster_interfaces(index)} -p tcp -m multiport --dports {','.join(map(str, some))} -j ACCEPT"
            for index in sorted(ports)
            for some in _portions(sorted(ports[index]))
        ],
    )


def _to(listener: Listener) -> Iterator[str]:
    ports = listener.ports
    span = f"{ports[0]}:{ports[-1]}" if len(ports) > 1 else str(ports[0])
    to = f"-d {HOST_ADDRESS} -p tcp --dport"
    match listener.clients:
        case Clients.PODS:
            yield f"-i {INTERFACES} {to} {span} -j ACCEPT"
        case Clients.NODES:
            yield f"-i {INTERFACES} -s {NODE_NETWORK} {to} {span} -j ACCEPT"
        case Clients.OWN_PODS:
            yield from (f"-i {cluster_interfaces(index)} {to} {port} -j ACCEPT" for index, port in enumerate(ports))
        case Clients.ADMITTED_PODS:
            yield f"-i {INTERFACES} {to} {span} -j {DATABASES}"
        case Clients.MACHINE | Clients.NODE:
            return


def _to_resolvers(resolvers: Sequence[str]) -> Iterator[str]:
    for resolver in resolvers:
        for protocol in ("udp", "tcp"):
            yield f"-i {INTERFACES} -d {resolver} -p {protocol} --dport {DNS_PORT} -j ACCEPT"


def _portions(ports: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ports), MULTIPORT_LIMIT):
        yield ports[start : start + MULTIPORT_LIMIT]
