"""Why a pod is not ready, as Kubernetes says it."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CRASHES = 3
"""Restarts after which a container that ends again counts as one that will not run: about 70 s, as the kubelet waits 10, 20 and 40 s."""
STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""Why a container waits that is on its way. Source: kubelet's pkg/kubelet/kubelet_pods.go."""


def containers(pod: Any) -> Iterator[Any]:
    """The states of its containers, those of the start first."""
    yield from pod.status.init_container_statuses or []
    yield from pod.status.container_statuses or []


def why_pending(pod: Any) -> str | None:
    """What the scheduler says of a pod that no node takes; None: a node has it."""
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            return condition.message or condition.reason or "not scheduled"
    return None


def why_not_ready(pod: Any) -> str | None:
    """What keeps a pod from its start, or has ended it before; None: it is on its way."""
    if pending := why_pending(pod):
        return f"pending: {pending}"
    return next((text for state in containers(pod) if (text := _trouble(state))), None)


def is_in_crash_loop(pod: Any) -> bool:
    """Whether one of its containers ended after each of its `CRASHES` restarts, and waits for the next."""
    waiting = [state for state in containers(pod) if state.state and state.state.waiting]
    return any(
        state.state.waiting.reason == "CrashLoopBackOff" and (state.restart_count or 0) >= CRASHES for state in waiting
    )


def _trouble(state: Any) -> str:
    waiting = state.state.waiting if state.state else None
    ends = [each.terminated for each in (state.state, state.last_state) if each and each.terminated]
    ended = next((each for each in ends if each.exit_code or each.reason == "OOMKilled"), None)
    parts = [waiting.reason] if waiting and waiting.reason and waiting.reason not in STARTING else []
    if ended:
        parts.append(f"ended with exit code {ended.exit_code} ({ended.reason or 'no reason given'})")
    elif parts and waiting and waiting.message:
        parts.append(waiting.message)  # where nothing ran yet it is all that is known
    if parts and state.restart_count:
        parts.append(f"{state.restart_count} restarts")
    return f"{state.name}: {', '.join(parts)}" if parts else ""
