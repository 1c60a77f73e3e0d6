"""Shared watches: one list and one watch per kind and namespace, however many resources wait for it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, cast

import urllib3

from slipway.sandbox.providers.kubernetes.client import ClusterClient
from slipway.sandbox.providers.kubernetes.discovery import ApiResource
from slipway.sandbox.providers.kubernetes.failures import ApiError, UnreachableError
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject, metadata_of, name_of

_RETRY_SECONDS = 1.0


class Informer:
    """The live objects of one kind in one namespace, kept up to date by a thread until nobody wants them any more."""

    def __init__(self, client: ClusterClient, resource: ApiResource, namespace: str) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._objects: dict[str, KubernetesObject] = {}
        self._lock = threading.Lock()
        self._listeners: list[threading.Event] = []
        self._listed = threading.Event()
        self._stopped = threading.Event()
        self._response: urllib3.BaseHTTPResponse | None = None
        self.error: Exception | None = None
        """Why there is nothing to see, while that is so: waiting goes on, and a wait that runs out says it."""
        self._failing_since: float | None = None
        name = f"watch {resource.plural} in {namespace or 'the cluster'}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def objects(self) -> list[KubernetesObject]:
        """All objects, as last seen."""
        with self._lock:
            return list(self._objects.values())

    def get(self, name: str) -> KubernetesObject | None:
        """One object, as last seen."""
        with self._lock:
            return self._objects.get(name)

    def owned_by(self, owner: KubernetesObject | None) -> list[KubernetesObject]:
        """The objects that name `owner` as their controller."""
        uid = metadata_of(owner or {}).get("uid")
        return [obj for obj in self.objects() if uid and _controller_uid(obj) == uid]

    @property
    def blind_seconds(self) -> float:
        """How long nothing could be seen; 0 while the watch works."""
        since = self._failing_since
        return time.monotonic() - since if since is not None else 0

    @property
    def listed(self) -> bool:
        """Whether the first list has arrived."""
        return self._listed.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; does not wait for it."""
        self._stopped.set()
        response = self._response
        if response is not None:
            with contextlib.suppress(ValueError, RuntimeError, OSError):  # it ended by itself meanwhile
                response.shutdown()

    def subscribe(self, listener: threading.Event) -> None:
        """Set `listener` at every change from now on."""
        with self._lock:
            self._listeners.append(listener)

    def unsubscribe(self, listener: threading.Event) -> None:
        """The opposite."""
        with self._lock:
            self._listeners.remove(listener)

    def _notify(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.set()

    def _run(self) -> None:
        version = ""
        while not self._stopped.is_set():
            try:
                if not version:
                    version = self._list()
                version = self._follow(version)
            except (ApiError, UnreachableError) as error:
                version = ""  # 410 Gone and everything else: what happened meanwhile is only in a new list
                if not (isinstance(error, ApiError) and error.status == 410):
                    self._fail(error)
                    self._notify()
                    self._stopped.wait(_RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - a dead thread would leave its waiters waiting for ever
                version = ""
                self._fail(error)
                import structlog  # noqa: PLC0415 - 0.1 s of imports for what hardly happens

                structlog.get_logger(__name__).warning("watch failed", kind=self._resource.plural, error=str(error))
                self._stopped.wait(_RETRY_SECONDS)

    def _fail(self, error: Exception) -> None:
        self.error = error
        if self._failing_since is None:
            self._failing_since = time.monotonic()

    def _list(self) -> str:
        document = self._client.request("GET", self._resource.path(self._namespace))
        kind = self._resource.kind
        items = cast("list[KubernetesObject]", document.get("items") or [])
        for item in items:
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
        with self._lock:
            self._objects = {name_of(item): item for item in items}
        self.error = self._failing_since = None
        self._listed.set()
        self._notify()
        return str(metadata_of(document).get("resourceVersion") or "")

    def _follow(self, version: str) -> str:
        query = {"resourceVersion": version, "allowWatchBookmarks": "true"}
        try:
            with self._client.watch(self._resource.path(self._namespace), query) as response:
                self._response = response
                for line in _lines(response):
                    if self._stopped.is_set():
                        break
                    version = self._take(json.loads(line)) or version
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            pass  # the stream was cut; go on from the version last seen
        finally:
            self._response = None
        return version

    def _take(self, event: dict[str, Any]) -> str:
        obj = cast("KubernetesObject", event.get("object") or {})
        if event.get("type") == "ERROR":
            raise ApiError(int(obj.get("code") or 410), str(obj.get("reason")), str(obj.get("message")))
        if event.get("type") != "BOOKMARK":
            with self._lock:
                if event.get("type") == "DELETED":
                    self._objects.pop(name_of(obj), None)
                else:
                    self._objects[name_of(obj)] = obj
            self._notify()
        return str(metadata_of(obj).get("resourceVersion") or "")


def _lines(response: urllib3.BaseHTTPResponse) -> Iterable[bytes]:
    buffer = b""
    for chunk in response.stream(None, decode_content=True):
        buffer += chunk
        *complete, buffer = buffer.split(b"\n")
        yield from (line for line in complete if line)


def _controller_uid(obj: KubernetesObject) -> str:
    for reference in cast("list[dict[str, Any]]", metadata_of(obj).get("ownerReferences") or []):
        if reference.get("controller"):
            return str(reference.get("uid"))
    return ""


class Informers:
    """The informers of one provider, counted: the last one to leave stops the watch."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._running: dict[tuple[ApiResource, str], tuple[Informer, int]] = {}
        self._lock = threading.Lock()

    def lease(self, resources: Iterable[ApiResource], namespace: str, listener: threading.Event) -> Lease:
        """Watch several kinds for the time of a `with` block; `listener` is set at every change."""
        return Lease(self, list(resources), namespace, listener)

    def enter(self, resource: ApiResource, namespace: str) -> Informer:
        """One more user of a watch."""
        key = (resource, namespace if resource.namespaced else "")
        with self._lock:
            informer, users = self._running.get(key, (None, 0))
            if informer is None:
                informer = Informer(self._client, *key)
                informer.start()
            self._running[key] = (informer, users + 1)
            return informer

    def leave(self, resource: ApiResource, namespace: str) -> None:
        """One user less."""
        key = (resource, namespace if resource.namespaced else "")
        with self._lock:
            informer, users = self._running[key]
            if users > 1:
                self._running[key] = (informer, users - 1)
            else:
                del self._running[key]
                informer.stop()

    def close(self) -> None:
        """Stop them all."""
        with self._lock:
            for informer, _ in self._running.values():
                informer.stop()


class Lease:
    """Watches held for the time of a `with` block; gives the informers by kind."""

    def __init__(
        self, owner: Informers, resources: list[ApiResource], namespace: str, listener: threading.Event
    ) -> None:
        self._owner = owner
        self._resources = resources
        self._namespace = namespace
        self._listener = listener
        self._informers: list[Informer] = []

    def __enter__(self) -> dict[str, Informer]:
        """Kind -> informer."""
        for resource in self._resources:
            informer = self._owner.enter(resource, self._namespace)
            informer.subscribe(self._listener)
            self._informers.append(informer)
        return {
            resource.kind.kind: informer for resource, informer in zip(self._resources, self._informers, strict=True)
        }

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for resource, informer in zip(self._resources, self._informers, strict=False):
            informer.unsubscribe(self._listener)
            self._owner.leave(resource, self._namespace)
