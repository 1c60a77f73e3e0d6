"""How many more pods of one kind the nodes take: what each allocates, less what runs there, and nodes that may still be added."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from slipway.delivery.adapters.pod_trouble import why_pending
from slipway.delivery.model.size import Room

RESOURCES: tuple[str, ...] = ("cpu", "memory")


def find_room(
    template: Any, nodes: Sequence[Any], pods: Sequence[Any], own: Sequence[Any], maximum_nodes: int | None
) -> Room:
    """Room for pods of `template`. `pods`: of the whole cluster, ended ones left out; `own`: those of the service."""
    wanted = _requests([template])
    usable = [node for node in nodes if _takes_pods(node)]
    on = {node.metadata.name: [pod for pod in pods if pod.spec.node_name == node.metadata.name] for node in usable}
    fits = sum(_fit(node, on[node.metadata.name], wanted) for node in usable)
    if maximum_nodes is not None and usable and maximum_nodes > len(nodes):
        # A node that is added has what its daemons leave; the smallest stands for it.
        fits += (maximum_nodes - len(nodes)) * min(
            _fit(node, [pod for pod in on[node.metadata.name] if _is_daemon(pod)], wanted) for node in usable
        )
    waiting = [text for pod in own if (text := why_pending(pod)) is not None]
    return Room(
        fits=None if maximum_nodes is None else max(fits - len(waiting), 0),
        pending=len(waiting),
        because=waiting[0] if waiting else "",
        nodes=len(nodes),
        maximum_nodes=maximum_nodes,
    )


def _takes_pods(node: Any) -> bool:
    ready = any(each.type == "Ready" and each.status == "True" for each in node.status.conditions or [])
    return ready and not node.spec.unschedulable


def _is_daemon(pod: Any) -> bool:
    return any(owner.kind == "DaemonSet" for owner in pod.metadata.owner_references or [])


def _requests(pods: Iterable[Any]) -> dict[str, Decimal]:
    found = dict.fromkeys(RESOURCES, Decimal(0))
    for pod in pods:
        for container in pod.spec.containers:
            requests = (container.resources.requests if container.resources else None) or {}
            for name in RESOURCES:
                found[name] += Decimal(parse_quantity(requests.get(name, "0")))
    return found


def _fit(node: Any, present: Sequence[Any], wanted: dict[str, Decimal]) -> int:
    allocatable, used = node.status.allocatable or {}, _requests(present)
    slots = int(parse_quantity(allocatable.get("pods", "110"))) - len(present)
    room = [
        int((Decimal(parse_quantity(allocatable.get(name, "0"))) - used[name]) // wanted[name])
        for name in RESOURCES
        if wanted[name]
    ]
    return max(min([slots, *room]), 0)
