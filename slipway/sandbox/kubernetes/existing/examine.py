"""What an existing cluster is, and whether the sandbox may and can use it: only reads, so that a wrong cluster stays untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from slipway.errors import OperationError, UsageError
from slipway.sandbox.kubernetes.api import ApiServer
from slipway.sandbox.kubernetes.existing.reach import is_reachable, pods_to_ask
from slipway.sandbox.kubernetes.existing.routes import NodeAddresses, is_neighbour, read_addresses

GUIDE = "docs/existing-cluster.md"
MAY_ALL = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SelfSubjectAccessReview",
    "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """An existing cluster as it is now."""

    uid: str
    version: str
    """`1.35`, as EKS names it."""
    service_cidr: str
    nodes: tuple[NodeAddresses, ...]
    """Those that are Ready."""
    labels: Mapping[str, Mapping[str, str]]
    """Of the same nodes, by name."""


def examine(api: ApiServer, where: str) -> Facts:
    """Read what it is. Raises OperationError when it does not answer or has no node, UsageError when it must not be administered.

    `where`: file and context, for messages.
    """
    try:
        version: dict[str, Any] = api.get("/version") or {}
        system: dict[str, Any] = api.get("/api/v1/namespaces/kube-system") or {}
        allowed = api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", MAY_ALL)
        nodes = _items(api.get("/api/v1/nodes"))
        ranges: dict[str, Any] = api.get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes") or {}
    except httpx.HTTPError as error:
        raise OperationError(
            f"the existing cluster does not answer: {error}",
            where=where,
            remedy="start it (kind: `docker start` its nodes, `minikube start`, `k3d cluster start`), then `slipway sandbox up`",
        ) from error
    except OperationError as error:
        raise UsageError(
            f"the context may not read the cluster: {error}", where=where, remedy=_ADMINISTRATOR
        ) from error
    if not allowed.get("status", {}).get("allowed"):
        raise UsageError("the context's user does not administer the cluster", where=where, remedy=_ADMINISTRATOR)
    ready = [node for node in nodes if _is_ready(node)]
    if not ready:
        raise OperationError("the existing cluster has no node that is Ready", where=where, remedy="kubectl get nodes")
    cidrs: list[str] = ranges.get("spec", {}).get("cidrs") or []
    return Facts(
        uid=str(system["metadata"]["uid"]),
        version=f"{version['major']}.{str(version['minor']).rstrip('+')}",
        service_cidr=next((each for each in cidrs if ":" not in each), ""),
        nodes=tuple(read_addresses(node) for node in ready),
        labels={str(node["metadata"]["name"]): node["metadata"].get("labels", {}) for node in ready},
    )


_ADMINISTRATOR = "use a context of the cluster's administrator, as kind, k3d and minikube write it"


def refuse_far_nodes(facts: Facts, where: str) -> None:
    """Raise UsageError for a node that is on no network of this machine, even where some router knows the way to its pods.

    This is what tells a cluster of this machine from one in a data centre, which a context named `prod` may well mean.
    """
    for node in facts.nodes:
        if not is_neighbour(node.address):
            raise UsageError(
                f"node {node.name} ({node.address or 'without an IPv4 address'}) is on no network of this machine",
                where=where,
                remedy=f"use a cluster whose nodes run on this machine, in a Docker or hypervisor network of its own; see {GUIDE}",
            )


def refuse_silent_pods(api: ApiServer, nodes: Sequence[NodeAddresses], where: str) -> None:
    """Raise OperationError for a node none of whose pods answers this machine; a node without pods cannot be told."""
    targets = pods_to_ask(_pods(api))
    for node in nodes:
        asked = targets.get(node.name, [])
        if asked and not is_reachable(asked):
            shown = ", ".join(f"{address}:{port}" for address, port in asked)
            raise OperationError(
                f"pods of node {node.name} do not answer this machine ({shown}), routed through {node.address}",
                where=where,
                remedy=f"look at the pod network, packet filters and NetworkPolicies between them; see {GUIDE}",
            )


def _pods(api: ApiServer) -> list[dict[str, Any]]:
    return _items(api.get("/api/v1/pods?fieldSelector=status.phase%3DRunning&limit=500"))


def _items(answer: dict[str, Any] | None) -> list[dict[str, Any]]:
    return (answer or {"items": None})["items"] or []


def _is_ready(node: Mapping[str, Any]) -> bool:
    status: dict[str, Any] = node.get("status") or {}
    conditions: list[dict[str, str]] = status.get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
