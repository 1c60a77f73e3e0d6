"""Following a cluster: a controller that reads what it looks after anew whenever a watch says that something changed."""
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client as kubernetes
from kubernetes import config as kubernetes_config
from kubernetes import watch as kubernetes_watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from slipway.errors import MachineError
from slipway.log import get_logger

CALL_TIMEOUT_SECONDS = (3, 10)
WATCH_SECONDS = 60
RESYNC_SECONDS = 10.0
"""All is read again this often, so that nothing that a watch missed stays wrong."""
RETRY_SECONDS = 1.0
SETTLE_SECONDS = 0.02
"""Changes come in bursts: one round serves them all."""
FROM_CACHE = "0"
"""What the API server's watches have seen. A later version may make it wait for seconds: clusters share one etcd, whose revision
other clusters advance. An event wakes the reconciler only when the cache has the object."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Watched:
    """Something whose changes wake the reconciler."""

    name: str
    list_all: Callable[..., Any]
    """The client's method that lists it."""
    arguments: tuple[str, ...] = ()
    counts: Callable[[Mapping[str, Any]], bool] = lambda _found: True
    """Whether changes of this one matter, as plain data: no round is run for others."""


class ClusterFollower:
    """Follows one cluster, in threads of its own, from `start` to `stop`, across restarts of its API server.

    Subclasses say what they watch, and reconcile.
    """

    topic: str
    """What it looks after, in the plural: for logs and the names of threads."""

    def __init__(self, cluster: str, kubeconfig: Path) -> None:
        """Raises MachineError when the kubeconfig cannot be used."""
        self._cluster = cluster
        try:
            self._client = kubernetes_config.new_client_from_config(str(kubeconfig))
        except (OSError, kubernetes_config.ConfigException) as error:
            raise MachineError(f"the kubeconfig of {cluster} cannot be used: {error}", where=str(kubeconfig)) from error
        self._custom = kubernetes.CustomObjectsApi(self._client)
        self._core = kubernetes.CoreV1Api(self._client)
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._installed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{self.topic} of {cluster}", daemon=True)
        self._complaints: dict[str, str] = {}

    def watched(self) -> list[Watched]:
        """What wakes the reconciler."""
        raise NotImplementedError

    def install(self) -> None:
        """What the cluster must have first. Repeated until it worked."""

    def reconcile(self) -> None:
        """Read what there is, and bring it to what it should be. Repeated until it worked."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was done stays."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(sum(CALL_TIMEOUT_SECONDS))

    def services(self) -> list[dict[str, Any]]:
        """Every Service of the cluster, as plain data."""
        return self.plain(self._core.list_service_for_all_namespaces)

    def plain(self, list_all: Callable[..., Any], *arguments: str) -> list[dict[str, Any]]:
        """What this method of the client lists, as plain data."""
        response: Any = list_all(
            *arguments, resource_version=FROM_CACHE, _preload_content=False, _request_timeout=CALL_TIMEOUT_SECONDS
        )
        return json.loads(response.data)["items"]

    def complain(self, subject: str, problem: str, *, traceback: bool = False) -> None:
        """Say each problem once, not in every round."""
        if self._complaints.get(subject) != problem:
            self._complaints[subject] = problem
            log.warning(
                "does not work",
                what=self.topic,
                cluster=self._cluster,
                subject=subject,
                problem=problem,
                exc_info=traceback,
            )

    def withdraw_complaint(self, subject: str) -> None:
        """It works again."""
        self._complaints.pop(subject, None)

    def _run(self) -> None:
        self._until_done(self.install)
        self._installed.set()
        for watched in self.watched():
            name = f"{watched.name} of {self._cluster}"
            threading.Thread(target=self._watch, args=(watched,), name=name, daemon=True).start()
        while not self._stopping.is_set():
            self._changed.clear()
            self._until_done(self.reconcile)
            if not self._stopping.wait(SETTLE_SECONDS):
                self._changed.wait(RESYNC_SECONDS)

    def _until_done(self, action: Callable[[], None]) -> None:
        """Repeat until it worked: an API server may be away for a while, and what was done stays meanwhile."""
        while not self._stopping.is_set():
            try:
                action()
            except Exception as error:  # noqa: BLE001 - one bad round must not end the controller
                expected = isinstance(error, ApiException | HTTPError | OSError)
                self.complain(action.__name__, f"{type(error).__name__}: {error}", traceback=not expected)
                self._stopping.wait(RETRY_SECONDS)
            else:
                self.withdraw_complaint(action.__name__)
                return

    def _watch(self, watched: Watched) -> None:
        """Only wakes the reconciler; it reads everything anew, so a lost event costs time and nothing else."""
        while not self._stopping.is_set():
            try:
                event: Any
                for event in kubernetes_watch.Watch().stream(
                    watched.list_all,
                    *watched.arguments,
                    resource_version=FROM_CACHE,
                    timeout_seconds=WATCH_SECONDS,
                    _request_timeout=(CALL_TIMEOUT_SECONDS[0], WATCH_SECONDS + CALL_TIMEOUT_SECONDS[1]),
                ):
                    if self._stopping.is_set():
                        return
                    if watched.counts(event["raw_object"]):
                        self._changed.set()
            except Exception as error:  # noqa: BLE001
                # Whatever ends a watch, it begins again; the resync covers the time between.
                log.debug("watch ended", cluster=self._cluster, watched=watched.name, error=str(error))
                self._stopping.wait(RETRY_SECONDS)
