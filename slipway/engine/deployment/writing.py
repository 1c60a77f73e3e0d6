"""Where steps are recorded: the stack's own writer in a real run, memory in a preview."""

from __future__ import annotations

import threading
from typing import Protocol

from slipway.engine.state.model import OperationType, PendingOperation, ResourceState, Snapshot
from slipway.engine.state.writer import Added, Change, Removed, Updated


class StepWriter(Protocol):
    """What the deployment needs of `slipway.engine.state.writer.StackWriter`."""

    base: Snapshot

    def begin(self, kind: OperationType, state: ResourceState) -> PendingOperation:
        """Record an operation before it is done."""
        ...

    def end(self, pending: PendingOperation | None, *changes: Change) -> None:
        """Record that it ended, and what it changed, at once."""
        ...

    def forget(self, pending: PendingOperation) -> None:
        """Drop a pending operation of `base`."""
        ...

    def snapshot(self) -> Snapshot:
        """The state as it stands now."""
        ...


class MemoryWriter:
    """The writer of a preview: the same bookkeeping, nothing kept."""

    def __init__(self, base: Snapshot) -> None:
        self.base = base
        self._lock = threading.Lock()
        self._keys: dict[int, int] = {id(state): key for key, state in enumerate(base.resources)}
        """Place by identity of the record: an update in place keeps the place."""
        self._untouched: dict[int, ResourceState] = dict(enumerate(base.resources))
        self._finished: dict[int, ResourceState] = {}
        self._next = len(base.resources)
        self._pending: list[PendingOperation] = list(base.pending_operations)

    def begin(self, kind: OperationType, state: ResourceState) -> PendingOperation:
        """Record an operation before it is done."""
        pending = PendingOperation(resource=state, type=kind)
        with self._lock:
            self._pending.append(pending)
        return pending

    def end(self, pending: PendingOperation | None, *changes: Change) -> None:
        """Record that it ended, and what it changed, at once."""
        with self._lock:
            if pending is not None:
                self._drop(pending)
            for change in changes:
                self._apply(change)

    def forget(self, pending: PendingOperation) -> None:
        """Drop a pending operation of `base`."""
        with self._lock:
            self._drop(pending)

    def snapshot(self) -> Snapshot:
        """The state as it stands now."""
        with self._lock:
            resources = (*self._finished.values(), *self._untouched.values())
            return Snapshot(resources=resources, pending_operations=tuple(self._pending))

    def _drop(self, pending: PendingOperation) -> None:
        self._pending = [one for one in self._pending if one is not pending]

    def _apply(self, change: Change) -> None:
        match change:
            case Added():
                self._finished[self._next] = change.state
                self._keys[id(change.state)] = self._next
                self._next += 1
            case Removed():
                key = self._keys.pop(id(change.state))
                if self._finished.pop(key, None) is None:
                    del self._untouched[key]
            case Updated():
                key = self._keys.pop(id(change.old))
                place = self._finished if key in self._finished else self._untouched
                place[key] = change.new
                self._keys[id(change.new)] = key
