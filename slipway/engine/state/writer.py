"""Saving a stack's state after each step at a cost that does not grow with the stack.

Each step appends one line to a journal; the stack file itself is rewritten ("folded") in the background, often while it is small,
and so seldom when it is large that folding takes at most a few percent of the time. See the decision record on the state journal.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway.engine.state.model import OperationType, PendingOperation, ResourceState, Snapshot


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


class StackWriter:
    """One operation's writes to a stack's state. Thread-safe. Get it from `StackStore.writer()`, under the stack's lock.

    Records are known by object identity: `snapshot.resources` of `base`, and what was added or updated since.
    `Added` moves nothing: a same-step record is `end(token, Removed(old), Added(new))`, so that finished records come first, in
    order of completion, and untouched old ones after them. URNs of aliases named by an added record (`state.aliases`) are
    rewritten in all old records.
    """

    base: Snapshot
    """What the operation began with; `pending_operations` as they were found."""

    def begin(self, kind: OperationType, state: ResourceState) -> PendingOperation:
        """Record an operation BEFORE it is done. Returns the token for `end`."""
        raise NotImplementedError

    def end(self, pending: PendingOperation | None, *changes: Change) -> None:
        """Record, in one atomic line, that an operation ended and what it changed. `pending` None: changes alone."""
        raise NotImplementedError

    def forget(self, pending: PendingOperation) -> None:
        """Drop a pending operation found in `base` (a refresh has cleared it)."""
        raise NotImplementedError

    def snapshot(self) -> Snapshot:
        """The state as it stands now."""
        raise NotImplementedError

    def fold(self) -> None:
        """Write the stack file now; returns when it is written."""
        raise NotImplementedError

    def close(self) -> None:
        """Fold, verify integrity, remove the journal. Raises OperationError if the state is not consistent (it is written anyway)."""
        raise NotImplementedError
