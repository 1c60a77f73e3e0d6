"""What was done to a stack: one record and one copy of the state per operation."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipway.engine.state.files import STACK_SUFFIXES, compress, write_atomically
from slipway.engine.state.properties import dump
from slipway.engine.state.serialize import decompress
from slipway.errors import UsageError


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
    resource_changes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Operation (`create`, `same`…) -> how many."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Full key -> text, {"secure": ciphertext}, or an object or list with such in it: never a secret in plain text."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Such as `git.head`, `git.author`."""
    version: int = 0
    """Always 0 in file backends."""


def write_history(folder: Path, stack: str, record: UpdateRecord, state_file: Path, suffix: str) -> None:
    """Write the record and a copy of the state. `suffix`: of the compression, "" for none."""
    prefix = f"{stack}-{time.time_ns()}"
    data = {
        "kind": record.kind,
        "startTime": int(record.start_time.timestamp()),
        "message": record.message,
        "environment": dict(record.environment),
        "config": dict(sorted(record.config.items())),
        "version": record.version,
        "result": record.result,
        "endTime": int(record.end_time.timestamp()),
    }
    if record.resource_changes:
        data["resourceChanges"] = dict(sorted(record.resource_changes.items()))
    write_atomically(folder / f"{prefix}.history.json{suffix}", compress(dump(data).encode(), suffix))
    write_atomically(folder / f"{prefix}.checkpoint.json{suffix}", state_file.read_bytes())


def read_history(folder: Path) -> Sequence[UpdateRecord]:
    """Newest first. Raises UsageError for a record that cannot be read."""
    # The names carry the time in nanoseconds, so their order is the order of the operations.
    suffixes = tuple(f".history{suffix}" for suffix in STACK_SUFFIXES)
    records = [path for path in folder.glob("*.history.json*") if path.name.endswith(suffixes)]
    return [_read_record(path) for path in sorted(records, reverse=True)]


def _read_record(path: Path) -> UpdateRecord:
    try:
        data: dict[str, Any] = json.loads(decompress(path.read_bytes()))
        return UpdateRecord(
            kind=data["kind"],
            start_time=datetime.fromtimestamp(data["startTime"], UTC),
            end_time=datetime.fromtimestamp(data["endTime"], UTC),
            result=data["result"],
            message=data.get("message", ""),
            resource_changes=data.get("resourceChanges") or {},
            config=data.get("config") or {},
            environment=data.get("environment") or {},
            version=data.get("version", 0),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"a history record cannot be read: {error}", where=str(path), remedy="move the file away"
        ) from error
