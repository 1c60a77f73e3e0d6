"""Routes from this machine to the pods of an existing cluster's nodes, as `kubectl get nodes` tells them.

Load balancers send requests to pods' own addresses. Nodes that are containers or virtual machines of this machine are on a network of
its own; what lies behind them it does not know.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import OperationError
from slipway.sandbox.kubernetes import network
from slipway.sandbox.kubernetes.state import PodRoute

PROTOCOL = "87"
"""Marks our routes in the kernel's table; source: rtnetlink(7), numbers above 4 are the makers' own. One that iproute2 has no name for."""


@dataclass(frozen=True, kw_only=True)
class NodeAddresses:
    """Where a node is, and which addresses it gives its pods."""

    name: str
    address: str
    """InternalIP, IPv4; empty when it has none."""
    pod_range: str
    """`spec.podCIDR`, IPv4; empty when the pod network hands out addresses in its own way."""


def read_addresses(node: Mapping[str, Any]) -> NodeAddresses:
    """From a Node of the API."""
    spec: dict[str, Any] = node.get("spec") or {}
    status: dict[str, Any] = node.get("status") or {}
    listed: list[dict[str, str]] = status.get("addresses") or []
    ranges: list[str] = spec.get("podCIDRs") or [spec.get("podCIDR") or ""]
    return NodeAddresses(
        name=str(node["metadata"]["name"]),
        address=next((e["address"] for e in listed if e["type"] == "InternalIP" and ":" not in e["address"]), ""),
        pod_range=next((each for each in ranges if each and ":" not in each), ""),
    )


def is_neighbour(address: str) -> bool:
    """Whether an address is this machine's, or is reached without a gateway."""
    if not address:
        return False
    found = _routes("route", "get", address)
    return bool(found) and "gateway" not in found[0]


def ensure_route(node: NodeAddresses, ours: Iterable[PodRoute]) -> PodRoute | None:
    """Have the node's pods routed through it; the route, or None when there is one already that is not ours.

    `ours`: routes made before for the same cluster, which may lead to an address that the node had then. Raises OperationError when
    the range is routed elsewhere.
    """
    route = PodRoute(destination=str(ipaddress.IPv4Network(node.pod_range)), via=node.address)
    local = _routes("route", "get", node.address)[0].get("type") == "local"
    for found in _routes("route", "show", "exact", route.destination):
        mine = str(found.get("protocol", "")) == PROTOCOL
        if found.get("gateway") == route.via:
            return route if mine else None
        if local and not mine:
            return None  # the node is this machine, and its pod network has made its own
        if not (mine and any(each.destination == route.destination for each in ours)):
            raise OperationError(
                f"node {node.name} gives its pods addresses of {route.destination}, which this machine routes to"
                f" {found.get('gateway') or found.get('dev')}",
                remedy="make the cluster with another range of pod addresses (kind: networking.podSubnet): each cluster needs its own",
            )
    if local:
        return None
    network.run("ip", "route", "replace", route.destination, "via", route.via, "proto", PROTOCOL)
    return route


def remove_routes(routes: Iterable[PodRoute]) -> None:
    """Take back routes of ours; gone already is fine."""
    for route in routes:
        network.run("ip", "route", "del", route.destination, "via", route.via, "proto", PROTOCOL, check=False)


def _routes(*arguments: str) -> list[dict[str, Any]]:
    said = network.run("ip", "-json", *arguments, check=False).stdout
    return json.loads(said) if said.strip() else []
