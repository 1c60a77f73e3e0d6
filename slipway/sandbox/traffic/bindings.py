"""TargetGroupBindings of one cluster: pods that are ready are targets, all others are not.

Source: "TargetGroupBinding" (AWS Load Balancer Controller documentation). As there, targets that somebody else registered in the
same target group are left alone.
"""
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from kubernetes import client as kubernetes
from kubernetes import config as kubernetes_config
from kubernetes import watch as kubernetes_watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from slipway.errors import MachineError
from slipway.sandbox.traffic.binding_resource import CRD, GROUP, PLURAL, VERSION
from slipway.sandbox.traffic.endpoints import Wanted, wanted_targets
from slipway.sandbox.traffic.model import Target

CALL_TIMEOUT_SECONDS = (3, 10)
WATCH_SECONDS = 60
RESYNC_SECONDS = 10.0
"""All is read again this often, so that nothing that a watch missed stays wrong."""
RETRY_SECONDS = 1.0
INSTALL_TIMEOUT_SECONDS = 20
SETTLE_SECONDS = 0.02
"""Changes come in bursts: one round serves them all."""
FROM_CACHE = "0"
"""What the API server's watches have seen. A later version may make it wait for seconds: clusters share one etcd, whose revision
other clusters advance. An event wakes the reconciler only when the cache has the object."""

log = structlog.get_logger(__name__)


class TargetRegistry(Protocol):
    """Where targets are registered."""

    def change_targets(self, arn: str, add: Sequence[Target], remove: Sequence[Target]) -> bool:
        """Register and deregister, effective on return; False when there is no such target group."""
        ...

    def registered(self, arn: str) -> frozenset[Target]:
        """What is registered now, by whomever."""
        ...


class BindingController:
    """Follows one cluster, in threads of its own. What it registered is kept in a file: a restart forgets nothing."""

    def __init__(self, cluster: str, kubeconfig: Path, registry: TargetRegistry, record: Path) -> None:
        """Raises MachineError when the kubeconfig cannot be used."""
        self._cluster = cluster
        self._registry = registry
        self._record = record
        try:
            self._client = kubernetes_config.new_client_from_config(str(kubeconfig))
        except (OSError, kubernetes_config.ConfigException) as error:
            raise MachineError(f"the kubeconfig of {cluster} cannot be used: {error}", where=str(kubeconfig)) from error
        self._custom = kubernetes.CustomObjectsApi(self._client)
        self._owned = _read_record(record)
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._installed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"bindings of {cluster}", daemon=True)
        self._complaints: dict[str, str] = {}

    def start(self) -> None:
        """Install the resource and follow it. Waits a while for the resource, so that the first binding finds it."""
        self._thread.start()
        if not self._installed.wait(INSTALL_TIMEOUT_SECONDS):
            log.warning("the cluster does not take TargetGroupBindings yet; still trying", cluster=self._cluster)

    def stop(self) -> None:
        """End; targets stay registered."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(sum(CALL_TIMEOUT_SECONDS))

    def withdraw(self) -> None:
        """End, and deregister everything: the cluster's pods are gone, and its addresses may become another's."""
        self.stop()
        self._converge([])
        self._record.unlink(missing_ok=True)

    def _run(self) -> None:
        self._until_done(self._install)
        self._installed.set()
        for group, version, plural in ((GROUP, VERSION, PLURAL), ("discovery.k8s.io", "v1", "endpointslices")):
            threading.Thread(
                target=self._watch, args=(group, version, plural), name=f"{plural} of {self._cluster}", daemon=True
            ).start()
        while not self._stopping.is_set():
            self._changed.clear()
            self._until_done(self._reconcile)
            if not self._stopping.wait(SETTLE_SECONDS):
                self._changed.wait(RESYNC_SECONDS)

    def _until_done(self, action: Callable[[], None]) -> None:
        """Repeat until it worked: an API server may be away for a while, and what is registered stays meanwhile."""
        while not self._stopping.is_set():
            try:
                action()
            except Exception as error:  # noqa: BLE001 - one bad round must not end the controller
                expected = isinstance(error, ApiException | HTTPError | OSError)
                self._complain(action.__name__, f"{type(error).__name__}: {error}", traceback=not expected)
                self._stopping.wait(RETRY_SECONDS)
            else:
                self._complaints.pop(action.__name__, None)
                return

    def _install(self) -> None:
        crds = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        name: str = CRD["metadata"]["name"]
        try:
            self._custom.create_cluster_custom_object(*crds, CRD, _request_timeout=CALL_TIMEOUT_SECONDS)
        except ApiException as error:
            if error.status != 409:
                raise
            self._custom.patch_cluster_custom_object(
                *crds,
                name,
                {"spec": CRD["spec"]},
                _content_type="application/merge-patch+json",
                _request_timeout=CALL_TIMEOUT_SECONDS,
            )
        while not self._stopping.is_set():
            found: Any = self._custom.get_cluster_custom_object(*crds, name, _request_timeout=CALL_TIMEOUT_SECONDS)
            conditions: list[dict[str, str]] = found.get("status", {}).get("conditions") or []
            if any(row["type"] == "Established" and row["status"] == "True" for row in conditions):
                return
            time.sleep(0.1)

    def _watch(self, group: str, version: str, plural: str) -> None:
        """Only wakes the reconciler; it reads everything anew, so a lost event costs time and nothing else."""
        while not self._stopping.is_set():
            try:
                for _ in kubernetes_watch.Watch().stream(
                    self._custom.list_cluster_custom_object,
                    group,
                    version,
                    plural,
                    resource_version=FROM_CACHE,
                    timeout_seconds=WATCH_SECONDS,
                    _request_timeout=(CALL_TIMEOUT_SECONDS[0], WATCH_SECONDS + CALL_TIMEOUT_SECONDS[1]),
                ):
                    if self._stopping.is_set():
                        return
                    self._changed.set()
            except Exception as error:  # noqa: BLE001
                # Whatever ends a watch, it begins again; the resync covers the time between.
                log.debug("watch ended", cluster=self._cluster, plural=plural, error=str(error))
                self._stopping.wait(RETRY_SECONDS)

    def _reconcile(self) -> None:
        bindings = self._list(GROUP, VERSION, PLURAL)
        services: list[dict[str, Any]] = []
        slices: list[dict[str, Any]] = []
        if bindings:
            slices = self._list("discovery.k8s.io", "v1", "endpointslices")
            core = kubernetes.CoreV1Api(self._client)
            response: Any = core.list_service_for_all_namespaces(
                resource_version=FROM_CACHE, _preload_content=False, _request_timeout=CALL_TIMEOUT_SECONDS
            )
            services = json.loads(response.data)["items"]
        wanted = [wanted_targets(binding, services, slices) for binding in bindings]
        self._converge(wanted)
        for binding, result in zip(bindings, wanted, strict=True):
            if not result.problem:
                self._observe(binding)

    def _list(self, group: str, version: str, plural: str) -> list[dict[str, Any]]:
        found: Any = self._custom.list_cluster_custom_object(
            group, version, plural, resource_version=FROM_CACHE, _request_timeout=CALL_TIMEOUT_SECONDS
        )
        return found["items"]

    def _converge(self, wanted: Sequence[Wanted]) -> None:
        by_group: dict[str, set[Target]] = {}
        for result in wanted:
            if result.problem:
                self._complain(result.binding, result.problem)
            else:
                self._complaints.pop(result.binding, None)
            # A binding whose Service is gone has no targets, and is no reason to keep any.
            by_group.setdefault(result.target_group_arn, set()).update(result.targets)
        for arn in by_group.keys() | self._owned.keys():
            self._converge_group(arn, frozenset(by_group.get(arn, ())))

    def _converge_group(self, arn: str, targets: frozenset[Target]) -> None:
        owned = self._owned.get(arn, frozenset())
        registered = self._registry.registered(arn)
        add, remove = targets - registered, (owned & registered) - targets
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
                self._complaints.pop(arn, None)
            else:
                self._complain(arn, "there is no such target group")
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

    def _observe(self, binding: Mapping[str, Any]) -> None:
        metadata = binding["metadata"]
        if (binding.get("status") or {}).get("observedGeneration") == metadata["generation"]:
            return
        try:
            self._custom.patch_namespaced_custom_object_status(
                GROUP,
                VERSION,
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

    def _complain(self, subject: str, problem: str, *, traceback: bool = False) -> None:
        """Say each problem once, not in every round."""
        if self._complaints.get(subject) != problem:
            self._complaints[subject] = problem
            log.warning(
                "target group binding does not work",
                cluster=self._cluster,
                subject=subject,
                problem=problem,
                exc_info=traceback,
            )


def _read_record(path: Path) -> dict[str, frozenset[Target]]:
    if not path.exists():
        return {}
    raw: dict[str, list[str]] = json.loads(path.read_text())
    return {arn: frozenset(Target.from_key(key) for key in keys) for arn, keys in raw.items()}
