"""TargetGroupBindings of one cluster: pods that are ready, but for their readiness gates, are targets; all others are not.

Source: "TargetGroupBinding" (AWS Load Balancer Controller documentation). As there, targets that somebody else registered in the
same target group are left alone.
"""
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from kubernetes.client.exceptions import ApiException

from slipway.log import get_logger
from slipway.sandbox.following import CALL_TIMEOUT_SECONDS, FROM_CACHE, ClusterFollower, Watched
from slipway.sandbox.traffic.binding_resource import APIS, PLURAL, BindingApi
from slipway.sandbox.traffic.endpoints import Wanted, wanted_targets
from slipway.sandbox.traffic.health import TargetHealth
from slipway.sandbox.traffic.model import Target
from slipway.sandbox.traffic.pod_conditions import Gate, PodConditions
from slipway.sandbox.traffic.readiness import (
    condition_type,
    gates_for,
    gates_of,
    has_ready_containers,
    ready_but_for_gates,
)

INSTALL_TIMEOUT_SECONDS = 20
SLICES = ("discovery.k8s.io", "v1", "endpointslices")

log = get_logger(__name__)


class TargetRegistry(Protocol):
    """Where targets are registered."""

    def refusal(self, cluster: str, arn: str) -> str:
        """Why the cluster may not register targets in this target group; empty when it may, or when there is no such group."""
        ...

    def change_targets(self, arn: str, add: Sequence[Target], remove: Sequence[Target]) -> bool:
        """Register and deregister, effective on return; False when there is no such target group."""
        ...

    def registered(self, arn: str) -> frozenset[Target]:
        """What is registered now, by whomever."""
        ...

    def health(self, arn: str, targets: Collection[Target]) -> Mapping[Target, TargetHealth]:
        """Of these targets; nothing when there is no such target group."""
        ...


class BindingController(ClusterFollower):
    """Registers and deregisters the pods of one cluster. What it registered is kept in a file: a restart forgets nothing."""

    topic = "target group bindings"

    def __init__(
        self, cluster: str, kubeconfig: Path, registry: TargetRegistry, record: Path, groups: Collection[str]
    ) -> None:
        """`groups`: the API groups of its bindings. Raises MachineError when the kubeconfig cannot be used."""
        super().__init__(cluster, kubeconfig)
        self.groups = frozenset(groups)
        self._apis = [APIS[group] for group in sorted(groups)]
        self._registry = registry
        self._record = record
        self._owned = _read_record(record)
        self._conditions = PodConditions(self._core, registry.health, self._pods_of)

    def watched(self) -> list[Watched]:
        """Bindings, the endpoints of the Services that they name, and pods with gates: endpoints tell nothing of their containers."""
        list_all = self._custom.list_cluster_custom_object
        kinds = [*((api.group, api.version, PLURAL) for api in self._apis), SLICES]
        pods = Watched("pods", self._core.list_pod_for_all_namespaces, counts=lambda pod: bool(gates_of(pod)))
        return [*(Watched(".".join((kind[2], kind[0])), list_all, kind) for kind in kinds), pods]

    def on_health_change(self, arn: str) -> None:
        """Pods may wait for the health of a target of this target group."""
        if arn in self._owned:
            self._changed.set()

    def gates_of_new_pod(self, group: str, namespace: str, labels: Mapping[str, str]) -> list[str]:
        """The readiness gates of a pod, by the bindings of this API group. Raises ApiException, or HTTPError of urllib3."""
        if group not in self.groups or not (bindings := self._list(group, APIS[group].version, PLURAL, namespace)):
            return []
        return gates_for(labels, group, bindings, self.plain(self._core.list_namespaced_service, namespace))

    def start(self) -> None:
        """Install the resource and follow it. Waits a while for the resource, so that the first binding finds it."""
        super().start()
        if not self._installed.wait(INSTALL_TIMEOUT_SECONDS):
            log.warning("the cluster does not take TargetGroupBindings yet; still trying", cluster=self._cluster)

    def withdraw(self) -> None:
        """End, and deregister everything: the cluster's pods are gone, and its addresses may become another's."""
        self.stop()
        self._converge([])
        self._record.unlink(missing_ok=True)

    def install(self) -> None:
        """The resources themselves."""
        for api in self._apis:
            self._install(api)

    def _install(self, api: BindingApi) -> None:
        crds = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        name, crd = api.crd_name, api.crd()
        try:
            self._custom.create_cluster_custom_object(*crds, crd, _request_timeout=CALL_TIMEOUT_SECONDS)
        except ApiException as error:
            if error.status != 409:
                raise
            self._custom.patch_cluster_custom_object(
                *crds,
                name,
                {"spec": crd["spec"]},
                _content_type="application/merge-patch+json",
                _request_timeout=CALL_TIMEOUT_SECONDS,
            )
        while not self._stopping.is_set():
            found: Any = self._custom.get_cluster_custom_object(*crds, name, _request_timeout=CALL_TIMEOUT_SECONDS)
            conditions: list[dict[str, str]] = found.get("status", {}).get("conditions") or []
            if any(row["type"] == "Established" and row["status"] == "True" for row in conditions):
                return
            time.sleep(0.1)

    def reconcile(self) -> None:
        """Register what is ready, deregister what is not, and tell pods that wait for it."""
        found = [(api, binding) for api in self._apis for binding in self._list(api.group, api.version, PLURAL)]
        services: list[dict[str, Any]] = []
        slices: list[dict[str, Any]] = []
        if found:
            slices = self._list(*SLICES)
            services = self.services()
        pods = [pod for name in sorted({_namespace(binding) for _, binding in found}) for pod in self._pods_of(name)]
        running = self._ready_but_for_gates(pods)
        wanted = [wanted_targets(binding, services, slices, running) for _, binding in found]
        self._converge(wanted)
        for (api, binding), result in zip(found, wanted, strict=True):
            if not result.problem:
                self._observe(api, binding)
        gates = [
            Gate(_namespace(binding), condition_type(api.group, binding["metadata"]["name"])) for api, binding in found
        ]
        self._conditions.renew(dict(zip(gates, wanted, strict=True)), {pod["metadata"]["uid"]: pod for pod in pods})

    def _ready_but_for_gates(self, pods: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        candidates = [pod for pod in pods if has_ready_containers(pod)]
        return ready_but_for_gates(candidates, self.plain(self._core.list_node)) if candidates else frozenset()

    def _pods_of(self, namespace: str) -> list[dict[str, Any]]:
        return self.plain(self._core.list_namespaced_pod, namespace)

    def _list(self, group: str, version: str, plural: str, namespace: str = "") -> list[dict[str, Any]]:
        """Of all namespaces, or of one."""
        options: dict[str, Any] = {"resource_version": FROM_CACHE, "_request_timeout": CALL_TIMEOUT_SECONDS}
        if namespace:
            found: Any = self._custom.list_namespaced_custom_object(group, version, namespace, plural, **options)
        else:
            found = self._custom.list_cluster_custom_object(group, version, plural, **options)
        return found["items"]

    def _converge(self, wanted: Sequence[Wanted]) -> None:
        by_group: dict[str, set[Target]] = {}
        for result in wanted:
            if result.problem:
                self.complain(result.binding, result.problem)
            else:
                self.withdraw_complaint(result.binding)
            # A binding whose Service is gone has no targets, and is no reason to keep any.
            by_group.setdefault(result.target_group_arn, set()).update(result.targets)
        for arn in by_group.keys() | self._owned.keys():
            self._converge_group(arn, frozenset(by_group.get(arn, ())))

    def _converge_group(self, arn: str, targets: frozenset[Target]) -> None:
        owned = self._owned.get(arn, frozenset())
        registered = self._registry.registered(arn)
        add, remove = targets - registered, (owned & registered) - targets
        if add and (refusal := self._registry.refusal(self._cluster, arn)):
            self.complain(arn, refusal)
            return
        if add:
            # Written first: a crash in between must not leave a target that nobody owns.
            self._own(arn, owned | targets)
        if add or remove:
            if self._registry.change_targets(arn, sorted(add), sorted(remove)):
                log.info(
                    "targets",
                    cluster=self._cluster,
                    group=arn.rpartition(":")[2],
                    added=[t.key for t in sorted(add)],
                    removed=[t.key for t in sorted(remove)],
                )
                self.withdraw_complaint(arn)
            else:
                self.complain(arn, "there is no such target group")
        self._own(arn, (owned | add) & targets)

    def _own(self, arn: str, targets: frozenset[Target]) -> None:
        if self._owned.get(arn, frozenset()) == targets:
            return
        if targets:
            self._owned[arn] = targets
        else:
            self._owned.pop(arn, None)
        self._record.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._record.with_suffix(".tmp")
        temporary.write_text(json.dumps({arn: sorted(t.key for t in held) for arn, held in self._owned.items()}))
        temporary.replace(self._record)

    def _observe(self, api: BindingApi, binding: Mapping[str, Any]) -> None:
        metadata = binding["metadata"]
        if (binding.get("status") or {}).get("observedGeneration") == metadata["generation"]:
            return
        try:
            self._custom.patch_namespaced_custom_object_status(
                api.group,
                api.version,
                metadata["namespace"],
                PLURAL,
                metadata["name"],
                {"status": {"observedGeneration": metadata["generation"]}},
                _content_type="application/merge-patch+json",
                _request_timeout=CALL_TIMEOUT_SECONDS,
            )
        except ApiException as error:
            if error.status != 404:
                raise


def _namespace(binding: Mapping[str, Any]) -> str:
    return binding["metadata"]["namespace"]


def _read_record(path: Path) -> dict[str, frozenset[Target]]:
    if not path.exists():
        return {}
    raw: dict[str, list[str]] = json.loads(path.read_text())
    return {arn: frozenset(Target.from_key(key) for key in keys) for arn, keys in raw.items()}
