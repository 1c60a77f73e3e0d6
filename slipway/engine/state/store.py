"""One stack of the file backend: its state, lock, history and backups."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from slipway.engine.secrets import StackSecrets
from slipway.engine.state import journal
from slipway.engine.state.files import (
    STACK_SUFFIXES,
    compress,
    compression_suffix,
    is_set,
    read_bytes,
    remove_file,
    write_atomically,
)
from slipway.engine.state.history import UpdateRecord, read_history, write_history
from slipway.engine.state.integrity import find_fault
from slipway.engine.state.locks import StackLock
from slipway.engine.state.model import Snapshot
from slipway.engine.state.properties import Vault, dump
from slipway.engine.state.serialize import (
    Checkpoint,
    Head,
    Sections,
    operation_bytes,
    read_checkpoint,
    read_deployment,
    read_summary,
    record_bytes,
    render_checkpoint,
    render_empty,
    snapshot_features,
    state_vault,
)
from slipway.engine.state.writer import StackWriter, StateFile, digest_of
from slipway.errors import NotFoundError, UsageError


class StackPaths:
    """Where one stack's files are."""

    def __init__(self, directory: Path, project: str, name: str) -> None:
        """`directory`: the `.pulumi` folder. `project`: "" in the legacy layout."""
        self.project = project
        self.name = name
        self.full_name = f"organization/{project}/{name}" if project else name
        self.base = directory / "stacks" / project / name
        self.history = directory / "history" / project / name
        self.backups = directory / "backups" / project / name
        self.locks = directory / "locks" / self.full_name
        self.journal = directory / "slipway" / project / f"{name}.journal"

    def with_suffix(self, suffix: str) -> Path:
        """A file of the stack: `.json`, `.json.gz`, `.pulumi-tags`…"""
        return self.base.with_name(self.name + suffix)

    def state_file(self) -> Path | None:
        """The state: the newest of the three, as Pulumi reads it; None: no such stack."""
        found = [path for suffix in STACK_SUFFIXES if (path := self.with_suffix(suffix)).is_file()]
        return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


class StackStore:
    """One stack's files. Get it from `FileBackend.stack()`."""

    def __init__(
        self, *, paths: StackPaths, environ: Mapping[str, str], secrets: StackSecrets, ensure_layout: Callable[[], None]
    ) -> None:
        self._paths = paths
        self._environ = environ
        self._ensure_layout = ensure_layout
        self._lock = StackLock(paths.locks)
        self.secrets = secrets
        """What the stack's values are encrypted with; give it to `load_stack_config` before `writer()`."""
        self.warnings: list[str] = []
        """What `load()` or `writer()` had to tell, such as an interrupted operation that was recovered."""

    @property
    def full_name(self) -> str:
        """`organization/<project>/<stack>`."""
        return self._paths.full_name

    def exists(self) -> bool:
        """Whether the stack was made."""
        return self._paths.state_file() is not None

    def create(self) -> None:
        """Make an empty stack. Raises UsageError if it exists."""
        if self.exists():
            raise UsageError(
                f"stack '{self.full_name}' already exists", remedy="choose another name, or use this stack"
            )
        self._ensure_layout()
        suffix = compression_suffix(self._environ)
        write_atomically(self._paths.with_suffix(f".json{suffix}"), compress(render_empty(self.full_name), suffix))

    def load(self) -> Snapshot | None:
        """The state, an interrupted operation's journal replayed; None: no such stack, an empty Snapshot: never deployed.

        Raises UsageError when it cannot be used: damaged, of a newer version, inconsistent, another passphrase.
        """
        checkpoint = self._read()
        if checkpoint is None:
            return None
        snapshot = checkpoint.snapshot or Snapshot()
        self._refuse_inconsistent(snapshot)
        return snapshot

    def writer(self, *, fold_in_background: bool = True) -> StackWriter:
        """Begin an operation's writes, making the stack if need be. Hold the lock.

        The stack file is brought up to date before this returns; `StackWriter.base` is what the operation starts from.
        """
        self._ensure_layout()
        checkpoint = self._read() or Checkpoint(snapshot=None)
        base = checkpoint.snapshot or Snapshot()
        self._refuse_inconsistent(base)
        provider = self.secrets.provider_state()
        vault = checkpoint.vault or state_vault(self.secrets, provider)
        as_it_was = provider == checkpoint.secrets_provider and not checkpoint.has_plaintext
        data = (
            [dump(record).encode() for record in checkpoint.raw_records]
            if as_it_was
            else [record_bytes(state, vault) for state in base.resources]
        )
        next_journal = self._paths.journal.with_suffix(".journal-next")
        next_journal.unlink(missing_ok=True)
        self._back_up_file()
        lines = journal.JournalWriter(next_journal)
        writer = StackWriter(
            base=base,
            data=data,
            head=self._head(checkpoint, base),
            vault=vault,
            provider=self.secrets.provider_state,
            journal=lines,
            file=_StackFile(self),
            fold_in_background=fold_in_background,
        )
        # Until here a crash leaves the old journal and file, or the new file with the next journal: both are found.
        lines.rename(self._paths.journal)
        return writer

    def save(self, snapshot: Snapshot) -> None:
        """Replace the whole state (import, state edits). Hold the lock. Raises UsageError if it is inconsistent."""
        fault = find_fault(snapshot.resources)
        if fault:
            raise UsageError(f"the new state is inconsistent: {fault}", where=self.full_name, remedy="mend the order")
        self._ensure_layout()
        checkpoint = self._read() or Checkpoint(snapshot=None)
        self._write(snapshot, checkpoint.vault or state_vault(self.secrets, None), self._head(checkpoint, snapshot))

    def export(self) -> dict[str, Any]:
        """`pulumi stack export`: {"version", "features"?, "deployment"}, secrets encrypted. Raises NotFoundError."""
        snapshot, vault, checkpoint = self._read_existing()
        content = self._render(snapshot, vault, self._head(checkpoint, snapshot))
        document = json.loads(content)
        result: dict[str, Any] = {"version": document["version"]}
        if "features" in document:
            result["features"] = document["features"]
        return result | {"deployment": document["checkpoint"]["latest"]}

    def import_(self, deployment: Mapping[str, Any]) -> None:
        """`pulumi stack import`. Hold the lock. Raises UsageError when it cannot be used.

        Secrets of another passphrase or in plain text are encrypted anew with the stack's own.
        """
        foreign = StackSecrets(self._environ)
        checkpoint = read_deployment(deployment, "the imported deployment", foreign)
        self.save(checkpoint.snapshot or Snapshot())

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the stack's lock. Raises LockedError, in Pulumi's words, when somebody else does."""
        self._ensure_layout()
        with self._lock.hold():
            yield

    def unlock_all(self) -> int:
        """Delete every lock (`pulumi cancel`); how many there were.

        What an interrupted operation had recorded goes into the stack file, unless its process still runs on this machine.
        """
        running = self._lock.has_live_holder()
        count = self._lock.break_all()
        if not running:
            self.recover()
        return count

    def recover(self) -> bool:
        """Put what a killed operation left in its journal into the stack file; False: there was nothing."""
        if not any(path.exists() for path in self._journals()) or not self.exists():
            return False
        self.writer().close()
        return True

    def record_update(self, record: UpdateRecord) -> None:
        """Write history and, at the end of an operation, a backup."""
        source = self._paths.state_file()
        if source is None:
            raise NotFoundError(f"no stack named '{self.full_name}' found", remedy="make it first")
        write_history(self._paths.history, self._paths.name, record, source, compression_suffix(self._environ))
        if not is_set(
            self._environ, "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS", "PULUMI_DISABLE_CHECKPOINT_BACKUPS"
        ):
            suffix = source.name.removeprefix(self._paths.name)
            backup = self._paths.backups / f"{self._paths.name}.{time.time_ns()}{suffix}"
            write_atomically(backup, source.read_bytes())

    def history(self) -> Sequence[UpdateRecord]:
        """Newest first."""
        return read_history(self._paths.history)

    def remove(self, *, force: bool = False, remove_backups: bool = False) -> None:
        """Remove the stack with its history; a copy stays as `.bak`, and the backups do, unless `remove_backups`. Hold the lock.

        Raises NotFoundError if there is none, UsageError if it still has resources and `force` is not given.
        """
        if not force:
            self.recover()
        _, count = self._summary_of_existing()
        if count and not force:
            raise UsageError(
                f"'{self.full_name}' still has resources; removal rejected",
                remedy="destroy it first, or pass --force to forget what it holds",
            )
        self._back_up_file()
        for suffix in STACK_SUFFIXES:
            remove_file(self._paths.with_suffix(suffix))
            if remove_backups:
                remove_file(self._paths.with_suffix(f"{suffix}.bak"))
        remove_file(self._paths.with_suffix(".pulumi-tags"))
        for path in self._journals():
            remove_file(path)
        for folder in (self._paths.history, self._paths.backups) if remove_backups else (self._paths.history,):
            shutil.rmtree(folder, ignore_errors=True)

    def summary(self) -> tuple[datetime | None, int | None]:
        """When the state was last written and how many resources it has; no secret is read, and no journal."""
        path = self._paths.state_file()
        data = None if path is None else read_bytes(path)
        return (None, None) if data is None else read_summary(data, str(path))

    def _summary_of_existing(self) -> tuple[datetime | None, int | None]:
        if not self.exists():
            raise NotFoundError(f"no stack named '{self.full_name}' found", remedy="see `slipway stack ls`, or make it")
        return self.summary()

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read_existing(self) -> tuple[Snapshot, Vault, Checkpoint]:
        checkpoint = self._read()
        if checkpoint is None:
            raise NotFoundError(f"no stack named '{self.full_name}' found", remedy="see `slipway stack ls`, or make it")
        vault = checkpoint.vault or state_vault(self.secrets, None)
        return checkpoint.snapshot or Snapshot(), vault, checkpoint

    def _read(self) -> Checkpoint | None:
        """The file with its journal replayed. Reads again when the file was replaced meanwhile by an operation under way."""
        while True:
            path = self._paths.state_file()
            if path is None:
                return None
            before = path.stat()
            data = read_bytes(path)
            lines = [journal.read_journal(candidate) for candidate in self._journals()]
            after = path.stat() if path.is_file() else None
            if data is not None and after is not None and before.st_ino == after.st_ino:
                return self._replayed(path, data, [found for found in lines if found])

    def _journals(self) -> tuple[Path, Path]:
        return self._paths.journal.with_suffix(".journal-next"), self._paths.journal

    def _replayed(self, path: Path, data: bytes, candidates: list[list[dict[str, Any]]]) -> Checkpoint:
        if not candidates:
            return read_checkpoint(data, str(path), self.secrets)

        def amend(deployment: dict[str, Any]) -> None:
            records = cast(list[dict[str, Any]], deployment.get("resources") or [])
            pending = cast(list[dict[str, Any]], deployment.get("pending_operations") or [])
            digest = digest_of(data)
            for lines in candidates:
                result = journal.replay(lines, digest, records, pending)
                if result is not None:
                    deployment["resources"], deployment["pending_operations"] = result.records, result.pending
                    if result.provider is not None:
                        kind, state = result.provider
                        deployment["secrets_providers"] = {"type": kind, "state": state}
                    if result.events:
                        self._warn("an interrupted operation was recovered: its steps are in the state now")
                    return
            there = [*records, *(operation["resource"] for operation in pending)]
            known = {(str(record.get("urn")), str(record.get("id", ""))) for record in there}
            lost = journal.orphans(candidates[-1], known)
            deployment["pending_operations"] = [*pending, *lost]
            if lost:
                names = ", ".join(sorted({str(operation["resource"]["urn"]) for operation in lost}))
                self._warn(
                    "the stack was changed by another program after an interrupted operation; what that had created "
                    f"is kept as pending operations: {names}"
                )

        return read_checkpoint(data, str(path), self.secrets, amend)

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def _refuse_inconsistent(self, snapshot: Snapshot) -> None:
        fault = find_fault(snapshot.resources)
        if fault:
            raise UsageError(
                f"snapshot integrity failure; refusing to use it: {fault}",
                where=str(self._paths.state_file()),
                remedy="restore the .bak file or a backup, or run `pulumi state repair`",
            )

    # --- writing ------------------------------------------------------------------------------------------------------

    def _head(self, checkpoint: Checkpoint, snapshot: Snapshot) -> Head:
        return Head(
            stack=self.full_name,
            metadata=snapshot.metadata,
            deployment_extra=snapshot.extra,
            checkpoint_extra=checkpoint.extra,
        )

    def _render(self, snapshot: Snapshot, vault: Vault, head: Head) -> bytes:
        sections = Sections(
            records=[record_bytes(state, vault) for state in snapshot.resources],
            pending=[operation_bytes(operation, vault) for operation in snapshot.pending_operations],
        )
        return render_checkpoint(head, sections, snapshot_features(snapshot), self.secrets.provider_state())

    def _write(self, snapshot: Snapshot, vault: Vault, head: Head) -> None:
        self._back_up_file()
        self.replace_file(self._render(snapshot, vault, head), lambda _digest: None)
        for path in self._journals():
            remove_file(path)

    def replace_file(self, content: bytes, before: Callable[[str], None]) -> None:
        """Put `content` in the state file's place; a file of another compression is removed after it."""
        suffix = compression_suffix(self._environ)
        target = self._paths.with_suffix(f".json{suffix}")
        data = compress(content, suffix)
        before(digest_of(data))
        write_atomically(target, data)
        if is_set(self._environ, "PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS", "PULUMI_RETAIN_CHECKPOINTS"):
            write_atomically(target.with_name(f"{target.name}.{time.time_ns()}"), data)
        for other in STACK_SUFFIXES:
            if other != f".json{suffix}":
                remove_file(self._paths.with_suffix(other))

    def _back_up_file(self) -> None:
        """Keep the state from before the operation as `<file>.bak`."""
        source = self._paths.state_file()
        if source is not None:
            write_atomically(source.with_name(f"{source.name}.bak"), source.read_bytes())


class _StackFile(StateFile):
    def __init__(self, store: StackStore) -> None:
        self._store = store

    def replace(self, content: bytes, before: Callable[[str], None]) -> None:
        self._store.replace_file(content, before)
