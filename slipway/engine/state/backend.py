"""Pulumi's file backend: stacks, locks, history and backups under `<root>/.pulumi`."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from slipway.engine.secrets import StackSecrets
from slipway.engine.state.model import Snapshot
from slipway.engine.state.writer import StackWriter


@dataclass(frozen=True, kw_only=True)
class StackListing:
    """One stack of the backend."""

    project: str
    name: str
    last_update: datetime | None
    resource_count: int | None


@dataclass(frozen=True, kw_only=True)
class UpdateRecord:
    """One line of a stack's history."""

    kind: str
    """`update`, `preview`, `refresh`, `destroy`, `import`, `rename`, `resource-import`."""
    start_time: datetime
    end_time: datetime
    result: str
    """`succeeded`, `failed` or `in-progress`."""
    message: str = ""
    resource_changes: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    """Values as Pulumi writes them: {"value": text, "secret": bool}; secrets as ciphertext."""
    environment: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


class FileBackend:
    """A `file://` backend."""

    def __init__(self, url: str, *, environ: Mapping[str, str] | None = None) -> None:
        """`url`: `file:///path`, `file://./relative`, `file://~`. Raises UsageError for another scheme or a newer layout."""
        raise NotImplementedError

    def stack(self, project: str, name: str) -> StackStore:
        """The store of one stack, whether or not it exists yet."""
        raise NotImplementedError

    def stacks(self, project: str | None = None) -> Sequence[StackListing]:
        """All stacks, or those of one project."""
        raise NotImplementedError


class StackStore:
    """One stack's files."""

    secrets: StackSecrets
    """What the stack's values are encrypted with; give it to `load_stack_config` before `writer()`."""

    def exists(self) -> bool: ...
    def create(self) -> None:
        """Make an empty stack. Raises UsageError if it exists."""
    def load(self) -> Snapshot | None:
        """The state with an interrupted operation's journal replayed; None: no such stack. Raises UsageError when it cannot be used."""
    def writer(self) -> StackWriter:
        """Begin an operation's writes (creating the stack if need be). Hold the lock."""
    def save(self, snapshot: Snapshot) -> None:
        """Replace the whole state (import, state edits). Hold the lock."""
    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the stack's lock. Raises LockedError, in Pulumi's words, when somebody else does."""
        yield
    def unlock_all(self) -> int:
        """Delete every lock (`pulumi cancel`); how many there were."""
    def record_update(self, record: UpdateRecord) -> None:
        """Write history and, at the end of an operation, a backup."""
    def history(self) -> Sequence[UpdateRecord]:
        """Newest first."""
    def export(self) -> dict[str, Any]:
        """`pulumi stack export`: {"version", "features"?, "deployment"}, secrets encrypted."""
    def import_(self, deployment: Mapping[str, Any]) -> None:
        """`pulumi stack import`. Hold the lock. Raises UsageError when it cannot be used."""
    def remove(self, *, force: bool = False) -> None:
        """Remove the stack. Raises UsageError if it still has resources and `force` is not given."""
