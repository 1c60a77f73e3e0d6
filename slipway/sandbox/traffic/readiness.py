"""Readiness gates: a pod is not Ready before the load balancer has found it healthy. Pure, on Kubernetes objects as JSON.

Sources: "Pod readiness gate" (AWS Load Balancer Controller documentation) and its code; for EKS Auto Mode aws/containers-roadmap#2511
and what clusters show: it does the same under its own API group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from slipway.sandbox.traffic.health import TargetHealth

RELEASED = TargetHealth("healthy", "", "Target Group Binding is deleted")
"""What the controller tells pods that would wait for ever."""


def condition_type(group: str, binding: str) -> str:
    """The condition of a binding's pods. `group`: the API group of the binding."""
    return f"target-health.{group}/{binding}"


def gates_for(
    labels: Mapping[str, str],
    group: str,
    bindings: Iterable[Mapping[str, Any]],
    services: Iterable[Mapping[str, Any]],
) -> list[str]:
    """The gates of a new pod with these labels. `bindings` of one API group and `services`: those of its namespace."""
    selectors: dict[str, Mapping[str, str]] = {
        service["metadata"]["name"]: service["spec"].get("selector") or {} for service in services
    }
    return [
        condition_type(group, binding["metadata"]["name"])
        for binding in bindings
        if not binding["metadata"].get("deletionTimestamp")
        and (selector := selectors.get(binding["spec"]["serviceRef"]["name"]))
        and selector.items() <= labels.items()
    ]


def gates_of(pod: Mapping[str, Any]) -> set[str]:
    """The conditions that the pod waits for, beside its containers."""
    gates: Sequence[Mapping[str, str]] = pod["spec"].get("readinessGates") or []
    return {gate["conditionType"] for gate in gates}


def has_ready_containers(pod: Mapping[str, Any]) -> bool:
    """Whether the pod has gates, and is ready but for them: if it were no target, they would never open."""
    return bool(gates_of(pod)) and not pod["metadata"].get("deletionTimestamp") and _is_true(pod, "ContainersReady")


def ready_but_for_gates(pods: Iterable[Mapping[str, Any]], nodes: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The UIDs of pods with ready containers on ready nodes. Those of a lost node would keep theirs for ever."""
    ready = {node["metadata"]["name"] for node in nodes if _is_true(node, "Ready")}
    return frozenset(
        pod["metadata"]["uid"] for pod in pods if pod["spec"].get("nodeName") in ready and has_ready_containers(pod)
    )


def changed_condition(
    pod: Mapping[str, Any], condition: str, health: TargetHealth, now: datetime
) -> dict[str, str] | None:
    """The condition as it is to be; None where the pod has it like that."""
    status = "True" if health.state == "healthy" else "False"
    wanted = {"type": condition, "status": status, "reason": health.reason, "message": health.description}
    present = _condition(pod, condition)
    if all((present.get(name) or "") == value for name, value in wanted.items()):
        return None
    since = present.get("lastTransitionTime") if present.get("status") == status else None
    return {**wanted, "lastTransitionTime": since or now.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _is_true(owner: Mapping[str, Any], kind: str) -> bool:
    return _condition(owner, kind).get("status") == "True"


def _condition(owner: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    status: Mapping[str, Any] = owner.get("status") or {}
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), dict[str, Any]())
