"""Tells pods of one cluster whether their targets are healthy, where they have a readiness gate for it.

As the AWS Load Balancer Controller: pods are looked at until all of a binding are healthy, and again when its pods change. A pod whose
target becomes unhealthy later stays Ready until then.
"""
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException

from slipway.log import get_logger
from slipway.sandbox.following import CALL_TIMEOUT_SECONDS
from slipway.sandbox.traffic.endpoints import Wanted
from slipway.sandbox.traffic.health import TargetHealth
from slipway.sandbox.traffic.model import Target
from slipway.sandbox.traffic.readiness import RELEASED, changed_condition, gates_of

HealthOf = Callable[[str, Collection[Target]], Mapping[Target, TargetHealth]]
"""From the ARN of a target group to the health of targets; empty when there is no such target group."""
NO_POD: Mapping[str, Any] = {"spec": {}}
Pods = Mapping[str, Mapping[str, Any]]
"""By UID."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Gate:
    """What pods of one binding wait for."""

    namespace: str
    condition: str


class PodConditions:
    """Sets conditions; keeps in memory which bindings need no look."""

    def __init__(
        self, core: kubernetes.CoreV1Api, health_of: HealthOf, pods_of: Callable[[str], list[dict[str, Any]]]
    ) -> None:
        """`pods_of`: all pods of a namespace."""
        self._core = core
        self._health_of = health_of
        self._pods_of = pods_of
        self._settled: dict[Gate, frozenset[tuple[Target, str]]] = {}
        """The pods with which all of the binding were healthy."""
        self._served: set[Gate] = set()

    def renew(self, bindings: Mapping[Gate, Wanted], pods: Pods) -> None:
        """Bring the conditions to what the targets' health says.

        Raises ApiException after all were tried, if the API server refused one.
        """
        served = {gate: wanted for gate, wanted in bindings.items() if wanted.served}
        refusals = [refusal for gate in self._served - served.keys() for refusal in self._release(gate)]
        self._served |= served.keys()
        for gate, wanted in served.items():
            refusals += self._renew_binding(gate, wanted, pods)
        if refusals:
            raise refusals[-1]

    def _release(self, gate: Gate) -> list[ApiException]:
        """The binding is gone: without this its pods would wait for ever."""
        pods = {pod["metadata"]["uid"]: pod for pod in self._pods_of(gate.namespace) if gate.condition in gates_of(pod)}
        changes = _changes(gate, dict.fromkeys(pods, RELEASED), pods)
        self._settled.pop(gate, None)
        if not changes:
            self._served.discard(gate)
        return self._set(changes, pods)

    def _renew_binding(self, gate: Gate, wanted: Wanted, pods: Pods) -> list[ApiException]:
        seen = frozenset(wanted.pods.items())
        if self._settled.get(gate) == seen:
            return []
        self._settled.pop(gate, None)
        gated = {
            target: uid for target, uid in wanted.pods.items() if gate.condition in gates_of(pods.get(uid, NO_POD))
        }
        found = self._health_of(wanted.target_group_arn, gated) if gated else {}
        changes = _changes(gate, {gated[target]: health for target, health in found.items()}, pods)
        healthy = {target for target, health in found.items() if health.state == "healthy"}
        # Seen on the pods, not only asked for: a patch may have met a conflict.
        if not changes and healthy == gated.keys():
            self._settled[gate] = seen
        return self._set(changes, pods)

    def _set(self, changes: Mapping[str, Mapping[str, str]], pods: Pods) -> list[ApiException]:
        """By UID. Returns the refusals that are no pod's own end."""
        refusals: list[ApiException] = []
        for uid, condition in changes.items():
            try:
                self._patch(pods[uid]["metadata"], condition)
            except ApiException as error:
                # One pod's trouble must not keep the others waiting.
                if not _is_of_gone_pod(error):
                    refusals.append(error)
        return refusals

    def _patch(self, metadata: Mapping[str, Any], condition: Mapping[str, str]) -> None:
        # With the UID, another pod of the same name does not get it.
        body = {"metadata": {"uid": metadata["uid"]}, "status": {"conditions": [condition]}}
        self._core.patch_namespaced_pod_status(
            metadata["name"],
            metadata["namespace"],
            body,
            _content_type="application/strategic-merge-patch+json",
            _request_timeout=CALL_TIMEOUT_SECONDS,
        )
        pod = f"{metadata['namespace']}/{metadata['name']}"
        log.info("readiness gate", pod=pod, **{name: condition[name] for name in ("type", "status", "reason")})


def _changes(gate: Gate, health: Mapping[str, TargetHealth], pods: Pods) -> dict[str, dict[str, str]]:
    """The conditions that differ, by UID."""
    now = datetime.now(UTC)
    wanted = {uid: changed_condition(pods[uid], gate.condition, each, now) for uid, each in health.items()}
    return {uid: condition for uid, condition in wanted.items() if condition is not None}


def _is_of_gone_pod(error: ApiException) -> bool:
    """The pod is gone, or changes right now, or another one has its name: the next round sees what is there then."""
    return error.status in {404, 409} or (error.status == 422 and "metadata.uid" in str(error.body))
