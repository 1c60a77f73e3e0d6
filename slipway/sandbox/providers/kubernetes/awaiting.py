"""Waiting until an object is ready, or gone: on watches, with a deadline, ended by a cancel, and able to say what it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.sandbox.providers.kubernetes.client import ClusterClient
from slipway.sandbox.providers.kubernetes.discovery import ApiResource
from slipway.sandbox.providers.kubernetes.failures import ApiError, CancelledError, UnknownKindError, UnreachableError
from slipway.sandbox.providers.kubernetes.informer import Informer, Informers
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject, metadata_of, name_of, namespace_of
from slipway.sandbox.providers.kubernetes.readiness import READY, Readiness, Rule, Seen

_TICK_SECONDS = 1.0  # rules that need quiet must be asked again though nothing happened
_BLIND_SECONDS = 120  # an API server that restarts is back well before; one that is gone never is
_FALLBACK = Readiness(ready=False)


class NotReadyError(Exception):
    """The object is there but did not become ready; `live` is what was last seen of it."""

    def __init__(self, headline: str, live: KubernetesObject, reasons: tuple[str, ...]) -> None:
        super().__init__(headline)
        self.live = live
        self.reasons = (headline, *reasons)


class StillThereError(Exception):
    """The object was told to go and did not."""


@dataclass(frozen=True, kw_only=True)
class ReadyWait:
    """One object to wait for."""

    resource: ApiResource
    submitted: KubernetesObject
    """As the API server answered the request that made or changed it."""
    rule: Rule
    timeout_seconds: float
    is_update: bool
    report: Callable[[str], None] = field(default=lambda _: None)
    """Takes what is waited for, one line, whenever it changes."""


class Waiter:
    """The waits of one provider."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._informers = Informers(client)
        self._cancelled = threading.Event()
        self._listeners: set[threading.Event] = set()
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """End every wait, now and from now on."""
        self._cancelled.set()
        with self._lock:
            for listener in self._listeners:
                listener.set()

    def close(self) -> None:
        """Stop the watches."""
        self._informers.close()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless cancelled."""
        if self._cancelled.wait(seconds):
            raise CancelledError("the operation was cancelled")

    def until_ready(self, wait: ReadyWait) -> KubernetesObject:
        """The live object once it is ready; `NotReadyError` when it fails, time is up, or the user cancels."""
        if not wait.rule.related and wait.rule.check(Seen(live=wait.submitted, is_update=wait.is_update)).ready:
            return wait.submitted
        listener = self._listen()
        kinds = {wait.resource.kind: wait.resource}
        for kind in wait.rule.related:
            kinds.setdefault(kind, self._client.discovery.find(kind))
        try:
            with self._informers.lease(kinds.values(), namespace_of(wait.submitted), listener) as informers:
                return self._follow(wait, informers, listener)
        finally:
            self._forget(listener)

    def _follow(
        self, wait: ReadyWait, informers: Mapping[str, Informer], listener: threading.Event
    ) -> KubernetesObject:
        deadline = time.monotonic() + wait.timeout_seconds
        own, related = informers[wait.resource.kind.kind], dict(informers)
        last_seen, last_change, said = wait.submitted, time.monotonic(), ""
        answer = _FALLBACK
        while True:
            if listener.is_set():
                listener.clear()
                last_change = time.monotonic()
            live = own.get(name_of(wait.submitted)) if all(informer.listed for informer in informers.values()) else None
            if live is not None and _is_current(live, wait.submitted):
                last_seen = live
                quiet = time.monotonic() - last_change
                answer = wait.rule.check(
                    Seen(live=live, is_update=wait.is_update, related=related, quiet_seconds=quiet)
                )
                if answer.ready:
                    return live
                if answer.failed:
                    raise NotReadyError(f"'{name_of(live)}' failed: {answer.message}", live, answer.reasons)
                if answer.message != said:
                    said = answer.message
                    wait.report(said)
            if self._cancelled.is_set():
                raise NotReadyError(f"the wait for '{name_of(last_seen)}' was cancelled", last_seen, answer.reasons)
            if any(informer.blind_seconds > _BLIND_SECONDS for informer in informers.values()):
                headline = f"lost sight of '{name_of(last_seen)}' {_BLIND_SECONDS} s ago"
                raise NotReadyError(headline, last_seen, _troubles(informers))
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                headline = f"'{name_of(last_seen)}' timed out after {wait.timeout_seconds:g} s waiting to be Ready"
                raise NotReadyError(headline, last_seen, answer.reasons or _troubles(informers))
            listener.wait(min(remaining, _TICK_SECONDS))

    def until_gone(
        self, resource: ApiResource, live: KubernetesObject, timeout_seconds: float, report: Callable[[str], None]
    ) -> None:
        """Return once the object, or the one that bears its name, is another or none."""
        namespace, name = namespace_of(live), name_of(live)
        if self._is_gone(resource, live):
            return
        listener = self._listen()
        deadline = time.monotonic() + timeout_seconds
        try:
            with self._informers.lease([resource], namespace, listener) as informers:
                own = informers[resource.kind.kind]
                report(f"Waiting for {resource.kind.kind} {name} to be deleted")
                while True:
                    listener.clear()
                    if own.listed and _is_other(own.get(name), live) and self._is_gone(resource, live):
                        return
                    if self._cancelled.is_set():
                        raise CancelledError(
                            f"the wait for the deletion of {resource.kind.kind} '{name}' was cancelled"
                        )
                    if own.blind_seconds > _BLIND_SECONDS:
                        raise StillThereError(
                            f"lost sight of {resource.kind.kind} '{name}' while it was to go: {own.error}"
                        )
                    remaining = deadline - time.monotonic()
                    if remaining <= 0:
                        raise StillThereError(_why_still_there(own.get(name) or live, resource, timeout_seconds))
                    listener.wait(min(remaining, _TICK_SECONDS))
        finally:
            self._forget(listener)

    def _is_gone(self, resource: ApiResource, live: KubernetesObject) -> bool:
        # The watch may be behind or cut; only the API server's own answer ends the wait.
        try:
            return _is_other(self._client.find(resource, namespace_of(live), name_of(live)), live)
        except UnknownKindError:
            return True
        except (ApiError, UnreachableError):
            return False

    def _listen(self) -> threading.Event:
        listener = threading.Event()
        with self._lock:
            self._listeners.add(listener)
        return listener

    def _forget(self, listener: threading.Event) -> None:
        with self._lock:
            self._listeners.discard(listener)


def _version(obj: Mapping[str, Any]) -> int:
    version = str(metadata_of(obj).get("resourceVersion") or "0")
    return int(version) if version.isdigit() else 0


def _is_current(live: KubernetesObject, submitted: KubernetesObject) -> bool:
    """Whether a watch already shows the object as submitted, and not the one before it."""
    same = metadata_of(live).get("uid") == metadata_of(submitted).get("uid")
    return same and _version(live) >= _version(submitted)


def _is_other(found: KubernetesObject | None, live: KubernetesObject) -> bool:
    if found is None:
        return True
    uid = metadata_of(live).get("uid")
    return bool(uid) and metadata_of(found).get("uid") != uid


def _troubles(informers: Mapping[str, Informer]) -> tuple[str, ...]:
    return tuple(
        f"cannot watch {kind}: {informer.error}" for kind, informer in informers.items() if informer.error is not None
    )


def _why_still_there(obj: KubernetesObject, resource: ApiResource, timeout_seconds: float) -> str:
    finalizers = metadata_of(obj).get("finalizers")
    held = f"; it is held by its finalizers {', '.join(finalizers)}" if finalizers else ""
    return f"{resource.kind.kind} '{name_of(obj)}' was told to go but is still there after {timeout_seconds:g} s{held}"


__all__ = ["READY", "NotReadyError", "ReadyWait", "StillThereError", "Waiter"]
