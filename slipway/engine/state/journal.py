"""The journal beside a stack file: what happened since the file was last written, one JSON line per event.

| line | meaning |
|---|---|
| `{"mark":k,"finished":f,"pending":p}` | from here on numbers count as in fold k: f finished records first, p operations |
| `{"folded":k,"sha256":h}` | fold k is the file whose content has this digest; written before the file takes its place |
| `{"provider":[type,state]}` | the secrets provider of all that follows |
| `{"begin":operation}` | a pending operation; it gets the next number |
| `{"end":n,"changes":[…]}` | operation n (or null) ended; changes: `["add",record]`, `["remove",n]`, `["update",n,record]` |

Replay finds the fold that the stack file is, and applies what follows its mark. A last line that was cut short never happened:
its step's answer had not been given to anybody.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from slipway.engine.state.properties import dump
from slipway.errors import MachineError, UsageError

_GROWTH_BYTES = 1024 * 1024


class JournalWriter:
    """Appends lines to a file that is mapped into memory.

    What is in the mapping is in the file as soon as it is assigned, whatever becomes of the process. A write() per line would be as
    safe, but gives up the interpreter's lock, and with many busy threads it takes up to 5 ms (a thread's turn) to get it back: at
    two lines a resource that was most of the time of an update of 2,000. The file is longer than what was written, zeros at its end.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._size = 0
        self._capacity = 0
        self._map: mmap.mmap | None = None
        self._grow(_GROWTH_BYTES)

    def append(self, line: bytes) -> None:
        """Write one line (without its newline). Not synced to disk: it survives the process, as Pulumi's own files do."""
        end = self._size + len(line)
        if end >= self._capacity:
            self._grow(end + _GROWTH_BYTES)
        mapped = self._map
        assert mapped is not None  # noqa: S101 - only `close` takes it away, and nothing is appended afterwards
        mapped[self._size : end] = line
        # Last, and by itself: killed amid the line above, the line has no end, and never happened.
        mapped[end : end + 1] = b"\n"
        self._size = end + 1

    def rename(self, path: Path) -> None:
        """Give the file its lasting name; what was there is replaced."""
        self.path.replace(path)
        self.path = path

    def close(self) -> None:
        """Close the file; it stays."""
        if self._map is not None:
            self._map.close()
            self._map = None
            os.ftruncate(self._descriptor, self._size)
            os.close(self._descriptor)

    def _grow(self, capacity: int) -> None:
        try:
            # Space is taken for real: a page that has none when it is first written to would kill the process.
            # Zeros are written rather than space allocated, because macOS has no posix_fallocate.
            taken = self._capacity
            while taken < capacity:
                taken += os.pwrite(self._descriptor, bytes(capacity - taken), taken)
            before, self._map = self._map, mmap.mmap(self._descriptor, capacity)
            if before is not None:
                before.close()
        except OSError as error:
            raise MachineError(
                f"the state journal cannot be written: {error.strerror}",
                where=str(self.path),
                remedy="free disk space; what was done so far is recorded",
            ) from error
        self._capacity = capacity


def mark_line(number: int, finished: int, pending: int) -> bytes:
    """See the module's table."""
    return f'{{"mark":{number},"finished":{finished},"pending":{pending}}}'.encode()


def folded_line(number: int, digest: str) -> bytes:
    """See the module's table."""
    return f'{{"folded":{number},"sha256":"{digest}"}}'.encode()


def provider_line(kind: str, state: Mapping[str, Any]) -> bytes:
    """See the module's table."""
    return dump({"provider": [kind, dict(state)]}).encode()


def begin_line(operation: bytes) -> bytes:
    """See the module's table."""
    return b'{"begin":' + operation + b"}"


def end_line(number: int | None, changes: list[bytes]) -> bytes:
    """See the module's table."""
    return b'{"end":%s,"changes":[%s]}' % (b"null" if number is None else str(number).encode(), b",".join(changes))


def add_change(record: bytes) -> bytes:
    """A record that goes behind the finished ones."""
    return b'["add",' + record + b"]"


def remove_change(number: int) -> bytes:
    """A record that is gone."""
    return f'["remove",{number}]'.encode()


def update_change(number: int, record: bytes) -> bytes:
    """A record that is another one now, in its place."""
    return f'["update",{number},'.encode() + record + b"]"


@dataclass
class Replay:
    """A deployment's lists, brought up to date."""

    finished: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    untouched: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pending: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    provider: tuple[str, Mapping[str, Any]] | None = None
    """The provider told by the journal, if it differs from the file's."""
    events: int = 0
    """How many events were applied to the file."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """All records in the order of the file."""
        return self.finished + self.untouched


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The journal's complete lines; none if there is no journal. Raises UsageError when one amid them is damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    complete, _, _cut = data.rstrip(b"\0").rpartition(b"\n")
    lines: list[dict[str, Any]] = []
    for number, line in enumerate(complete.split(b"\n") if complete else (), start=1):
        try:
            lines.append(cast(dict[str, Any], json.loads(line)))
        except ValueError as error:
            raise UsageError(
                f"line {number} of the state journal is damaged",
                where=str(path),
                remedy="move the journal away to continue from the stack file alone; what it recorded must then be imported",
            ) from error
    return lines


def replay(
    lines: list[dict[str, Any]], digest: str, records: list[dict[str, Any]], pending: list[dict[str, Any]]
) -> Replay | None:
    """Apply a journal to the file whose content has `digest`; None: the file is not one the journal knows."""
    fold = next((line["folded"] for line in reversed(lines) if line.get("sha256") == digest), None)
    if fold is None:
        return None
    start = next(index for index, line in enumerate(lines) if line.get("mark") == fold)
    finished = lines[start]["finished"]
    state = _Replayer(records[:finished], records[finished:], pending)
    for line in lines[start + 1 :]:
        state.apply(line)
    return state.result()


def orphans(lines: list[dict[str, Any]], known_ids: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Pending `creating` operations for all the journal saw created or begun, and that is not among `known_ids` (urn, id).

    For a journal whose stack file was changed by somebody else: it cannot be replayed, but must not be forgotten either.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    open_operations: list[dict[str, Any] | None] = []
    for line in lines:
        if "mark" in line:
            open_operations = [operation for operation in open_operations if operation is not None]
            # Those pending before the journal began stand in the stack file; only their numbers matter here.
            open_operations = open_operations or [{} for _ in range(line["pending"])]
        elif "begin" in line:
            open_operations.append(line["begin"])
        elif "end" in line:
            ended = line["end"]
            if ended is not None and ended < len(open_operations):
                open_operations[ended] = None
            for change in line["changes"]:
                if change[0] == "add" and change[1].get("custom") and not change[1].get("external"):
                    found[change[1]["urn"], change[1].get("id", "")] = change[1]
    for operation in open_operations:
        if operation and operation.get("type") == "creating":
            found[operation["resource"]["urn"], ""] = operation["resource"]
    return [{"resource": record, "type": "creating"} for key, record in found.items() if key not in known_ids]


class _Replayer:
    """Numbers records and operations as the writer did."""

    def __init__(
        self, finished: list[dict[str, Any]], untouched: list[dict[str, Any]], pending: list[dict[str, Any]]
    ) -> None:
        self._finished: dict[int, dict[str, Any]] = dict(enumerate(finished))
        self._untouched = dict(enumerate(untouched, start=len(finished)))
        self._pending = dict(enumerate(pending))
        self._next_record = len(finished) + len(untouched)
        self._next_operation = len(pending)
        self._provider: tuple[str, Mapping[str, Any]] | None = None
        self._events = 0

    def apply(self, line: dict[str, Any]) -> None:
        if "mark" in line:
            self._renumber()
        elif "begin" in line:
            self._pending[self._next_operation] = line["begin"]
            self._next_operation += 1
            self._events += 1
        elif "end" in line:
            self._pending.pop(line["end"], None)
            for change in line["changes"]:
                self._change(change)
            self._events += 1
        elif "provider" in line:
            kind, state = line["provider"]
            self._provider = (kind, state)

    def _change(self, change: list[Any]) -> None:
        action = change[0]
        if action == "add":
            self._finished[self._next_record] = change[1]
            self._next_record += 1
        elif action == "remove":
            self._home(change[1]).pop(change[1])
        else:
            self._home(change[1])[change[1]] = change[2]

    def _home(self, number: int) -> dict[int, dict[str, Any]]:
        return self._finished if number in self._finished else self._untouched

    def _renumber(self) -> None:
        result = self.result()
        self._finished = dict(enumerate(result.finished))
        self._untouched = dict(enumerate(result.untouched, start=len(result.finished)))
        self._pending = dict(enumerate(result.pending))
        self._next_record = len(result.records)
        self._next_operation = len(result.pending)

    def result(self) -> Replay:
        return Replay(
            finished=list(self._finished.values()),
            untouched=list(self._untouched.values()),
            pending=list(self._pending.values()),
            provider=self._provider,
            events=self._events,
        )
