"""Whether pods of an existing cluster answer this machine on their own addresses."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Socket = tuple[str, int]
"""Address and port."""
PODS_PER_NODE = 3
"""A single pod may be closed by a NetworkPolicy of its own."""
CONNECT_SECONDS = 2.0


def pods_to_ask(pods: Iterable[Mapping[str, Any]]) -> dict[str, list[Socket]]:
    """By node, up to three ready pods with an address of their own and a TCP port that they declare."""
    found: dict[str, list[Socket]] = defaultdict(list)
    for pod in pods:
        spec: dict[str, Any] = pod["spec"]
        status: dict[str, Any] = pod.get("status") or {}
        node = str(spec.get("nodeName") or "")
        address = str(status.get("podIP") or "")
        conditions: list[dict[str, str]] = status.get("conditions") or []
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        if spec.get("hostNetwork") or not ready or not node or not address or ":" in address:
            continue
        if (port := _declared_port(spec)) and len(found[node]) < PODS_PER_NODE:
            found[node].append((address, port))
    return {node: targets for node, targets in found.items() if targets}


def _declared_port(spec: Mapping[str, Any]) -> int | None:
    containers: list[dict[str, Any]] = spec.get("containers") or []
    for container in containers:
        ports: list[dict[str, Any]] = container.get("ports") or []
        for port in ports:
            if port.get("protocol", "TCP") == "TCP":
                return int(port["containerPort"])
    return None


def is_reachable(targets: Sequence[Socket]) -> bool:
    """Whether one of them takes a connection."""
    return any(_connects(target) for target in targets)


def _connects(target: Socket) -> bool:
    try:
        socket.create_connection(target, CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
