"""Saving a stack's state after each step at a cost that does not grow with the stack.

Each step appends one line to a journal; the stack file itself is rewritten ("folded") in the background: at once while it is small,
and so seldom when it is large that folding takes a few percent of the time. See docs/decisions, "State journal".
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.engine.state.aliases import References, rename_record
from slipway.engine.state.integrity import find_fault
from slipway.engine.state.journal import (
    JournalWriter,
    add_change,
    begin_line,
    end_line,
    folded_line,
    mark_line,
    provider_line,
    remove_change,
    update_change,
)
from slipway.engine.state.model import OperationType, PendingOperation, ResourceState, Snapshot
from slipway.engine.state.properties import Vault
from slipway.engine.state.records import record_features
from slipway.engine.state.serialize import Head, Sections, operation_bytes, record_bytes, render_checkpoint
from slipway.errors import OperationError

FOLD_SHARE = 0.05
"""Folding takes at most this share of the time: 3 ms at 2,000 resources, so every 60 ms."""

SHORTEST_INTERVAL_SECONDS = 0.01
LONGEST_INTERVAL_SECONDS = 1.0
"""What others may not see yet, at most; exceeded only where a fold itself takes longer than a quarter of it."""


@dataclass(frozen=True)
class Added:
    """A record finished in this run: goes behind the others finished in this run."""

    state: ResourceState


@dataclass(frozen=True)
class Removed:
    """A record that is no longer in the state. `state`: the very object that was loaded or added."""

    state: ResourceState


@dataclass(frozen=True)
class Updated:
    """A record changed in place (component outputs, `delete=True`, `pending_replacement`). `old`: the very object."""

    old: ResourceState
    new: ResourceState


Change = Added | Removed | Updated


class StateFile:
    """Where folds go. The store implements it."""

    def replace(self, content: bytes, before: Callable[[str], None]) -> None:
        """Put `content` in the stack file's place, atomically; `before(digest)` is called just before that."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class _Slot:
    """One record, its bytes in the file, and its number since the last fold."""

    state: ResourceState
    data: bytes
    number: int
    known_as: list[ResourceState]
    """Objects the caller may name it by; kept, because identities are compared."""


@dataclass(slots=True, eq=False)
class _Operation:
    token: PendingOperation
    data: bytes
    number: int


class StackWriter:
    """One operation's writes to a stack's state. Thread-safe. Get it from `StackStore.writer()`, under the stack's lock.

    Records are known by object identity: `base.resources`, and what was added or updated since. A same-step record is
    `end(token, Removed(old), Added(new))`, so that finished records come first, in order of completion, and untouched old
    ones after them. What an added record's `aliases` name is rewritten in all old records.
    """

    def __init__(
        self,
        *,
        base: Snapshot,
        data: Sequence[bytes],
        head: Head,
        vault: Vault,
        provider: Callable[[], tuple[str, Mapping[str, Any]] | None],
        journal: JournalWriter,
        file: StateFile,
        fold_in_background: bool = True,
    ) -> None:
        """`data`: the bytes of `base.resources`, one by one. The first fold is written before this returns.

        `fold_in_background` False: the stack file changes at `fold` and `close` only.
        """
        self.base = base
        self._head = head
        self._vault = vault
        self._provider = provider
        self._journal = journal
        self._file = file
        self._lock = threading.RLock()
        self._folding = threading.Lock()
        self._finished: dict[_Slot, None] = {}
        self._untouched: dict[_Slot, None] = {}
        self._slots: dict[int, _Slot] = {}
        self._features: Counter[str] = Counter()
        self._operations: dict[int, _Operation] = {}
        self._references: References[_Slot] | None = None
        self._journalled_provider = provider()
        self._folds = 0
        self._next_record = 0
        self._next_operation = 0
        for state, record in zip(base.resources, data, strict=True):
            self._untouched[self._new_slot(state, record)] = None
        for token in base.pending_operations:
            # Pulumi's rule: only an interrupted create is carried on, because only it may have left something unknown behind.
            if token.type is OperationType.CREATING:
                self._new_operation(token, operation_bytes(token, vault))
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._failure: BaseException | None = None
        self._fold_seconds = 0.0
        self.fold()
        self._folder = threading.Thread(target=self._fold_in_background, name="state-folder", daemon=True)
        if fold_in_background:
            self._folder.start()

    def begin(self, kind: OperationType, state: ResourceState) -> PendingOperation:
        """Record an operation BEFORE it is done. Returns the token for `end`."""
        token = PendingOperation(resource=state, type=kind)
        with self._lock:
            self._raise_failure()
            data = operation_bytes(token, self._vault)
            self._note_provider()
            self._new_operation(token, data)
            self._journal.append(begin_line(data))
        self._dirty.set()
        return token

    def end(self, pending: PendingOperation | None, *changes: Change) -> None:
        """Record, in one atomic line, that an operation ended and what it changed. `pending` None: changes alone."""
        with self._lock:
            self._raise_failure()
            operation = None if pending is None else self._operations.pop(id(pending))
            lines = [line for change in changes for line in self._apply(change)]
            self._note_provider()
            self._journal.append(end_line(None if operation is None else operation.number, lines))
        self._dirty.set()

    def forget(self, pending: PendingOperation) -> None:
        """Drop a pending operation found in `base` (a refresh has cleared it)."""
        if id(pending) in self._operations:
            self.end(pending)

    def snapshot(self) -> Snapshot:
        """The state as it stands now."""
        with self._lock:
            return Snapshot(
                resources=tuple(slot.state for slot in self._all_slots()),
                pending_operations=tuple(operation.token for operation in self._operations.values()),
                metadata=self._head.metadata,
                extra=self._head.deployment_extra,
            )

    def fold(self) -> None:
        """Write the stack file now; returns when it is written."""
        with self._folding:
            started = time.monotonic()
            with self._lock:
                self._dirty.clear()
                sections = self._mark()
                features = [name for name, count in self._features.items() if count]
                provider = self._provider()
                fold = self._folds
            content = render_checkpoint(self._head, sections, features, provider)
            self._file.replace(content, lambda digest: self._journal.append(folded_line(fold, digest)))
            self._fold_seconds = time.monotonic() - started

    def close(self) -> None:
        """Fold, remove the journal, verify. Raises OperationError if the state is inconsistent; it is written anyway."""
        self._closing.set()
        self._dirty.set()
        if self._folder.ident is not None:
            self._folder.join()
        self.fold()
        self._journal.close()
        self._journal.path.unlink(missing_ok=True)
        fault = find_fault([slot.state for slot in self._all_slots()])
        if fault:
            raise OperationError(
                f"snapshot integrity failure; it was already written, but is invalid: {fault}",
                where=self._head.stack,
                remedy="report this fault; the state before this operation is in the .bak file beside the stack file",
            )

    def _all_slots(self) -> list[_Slot]:
        return [*self._finished, *self._untouched]

    def _new_slot(self, state: ResourceState, data: bytes) -> _Slot:
        slot = _Slot(state, data, self._next_record, [state])
        self._next_record += 1
        self._slots[id(state)] = slot
        self._features.update(record_features(state))
        return slot

    def _new_operation(self, token: PendingOperation, data: bytes) -> None:
        self._operations[id(token)] = _Operation(token, data, self._next_operation)
        self._next_operation += 1

    def _apply(self, change: Change) -> list[bytes]:
        if isinstance(change, Removed):
            slot = self._slots[id(change.state)]
            for state in slot.known_as:
                del self._slots[id(state)]
            self._features.subtract(record_features(slot.state))
            (self._finished if slot in self._finished else self._untouched).pop(slot)
            return [remove_change(slot.number)]
        new = change.state if isinstance(change, Added) else change.new
        data = record_bytes(new, self._vault)
        if isinstance(change, Added):
            self._finished[self._new_slot(new, data)] = None
            line = add_change(data)
        else:
            slot = self._slots[id(change.old)]
            self._set(slot, new, data)
            line = update_change(slot.number, data)
        return [line, *(line for alias in new.aliases if alias != new.urn for line in self._rename(alias, new.urn))]

    def _set(self, slot: _Slot, new: ResourceState, data: bytes) -> None:
        self._features.subtract(record_features(slot.state))
        self._features.update(record_features(new))
        slot.state, slot.data = new, data
        slot.known_as.append(new)
        self._slots[id(new)] = slot

    def _rename(self, old_urn: str, new_urn: str) -> list[bytes]:
        """Rewrite a URN in all old records, and so the URNs of its children among them."""
        if self._references is None:
            self._references = References()
            for slot in self._untouched:
                self._references.add(slot, slot.state)
        lines: list[bytes] = []
        for slot in self._references.pop(old_urn):
            if slot not in self._untouched:
                continue
            before = slot.state
            after = rename_record(before, old_urn, new_urn)
            self._set(slot, after, record_bytes(after, self._vault))
            self._references.add(slot, after)
            lines.append(update_change(slot.number, slot.data))
            if after.urn not in {before.urn, new_urn}:
                lines += self._rename(before.urn, after.urn)
        return lines

    def _note_provider(self) -> None:
        """A salt made in the middle of a run must be in the journal before the first record that uses it."""
        provider = self._provider()
        if provider is not None and provider != self._journalled_provider:
            self._journal.append(provider_line(*provider))
            self._journalled_provider = provider

    def _mark(self) -> Sections:
        """Number everything anew in file order, and say so in the journal."""
        slots = self._all_slots()
        for number, slot in enumerate(slots):
            slot.number = number
        for number, operation in enumerate(self._operations.values()):
            operation.number = number
        self._next_record, self._next_operation = len(slots), len(self._operations)
        self._folds += 1
        self._journal.append(mark_line(self._folds, len(self._finished), len(self._operations)))
        return Sections(
            records=[slot.data for slot in slots], pending=[operation.data for operation in self._operations.values()]
        )

    def _fold_in_background(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            if self._closing.is_set():
                return
            try:
                self.fold()
            except BaseException as error:  # noqa: BLE001 - raised again at the next begin, end or close
                self._failure = error
                return
            self._closing.wait(fold_interval(self._fold_seconds))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def fold_interval(fold_seconds: float) -> float:
    """Seconds to wait after a fold that took `fold_seconds`."""
    wanted = fold_seconds / FOLD_SHARE
    return max(SHORTEST_INTERVAL_SECONDS, min(wanted, LONGEST_INTERVAL_SECONDS), 4 * fold_seconds)


def digest_of(content: bytes) -> str:
    """What the journal knows a fold by."""
    return hashlib.sha256(content).hexdigest()
