"""One stack of one project, and what can be done with it: preview, up, refresh, destroy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from slipway.engine.config import StackConfig, load_stack_config
from slipway.engine.deployment.context import DeploymentOptions, StackIdentity
from slipway.engine.deployment.writing import MemoryWriter, StepWriter
from slipway.engine.event_stream import EventStream
from slipway.engine.events import (
    NOT_KNOWN_YET,
    CancelEvent,
    DiagnosticEvent,
    Event,
    Step,
    SummaryEvent,
    plain_json,
)
from slipway.engine.operation import RUNS_PROGRAM, Operation, OperationKind
from slipway.engine.plugin_source import PluginSource
from slipway.engine.policy_manifest import read_manifest
from slipway.engine.preparation import Prepared, prepare
from slipway.engine.project import Project, load_project
from slipway.engine.provider import Provider
from slipway.engine.state.backend import FileBackend
from slipway.engine.state.history import UpdateRecord
from slipway.engine.state.model import Snapshot
from slipway.engine.state.store import StackStore
from slipway.engine.state.writer import StackWriter
from slipway.engine.urn import STACK_TYPE
from slipway.engine.values import PropertyMap
from slipway.errors import ChangesError, NotFoundError, OperationError, PolicyError, UsageError

if TYPE_CHECKING:
    from slipway.engine.judging import StartedPacks

Writer = TypeVar("Writer", bound=StepWriter)

BACKEND_URL_VARIABLE = "PULUMI_BACKEND_URL"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How one operation runs."""

    parallel: int = 16
    """Provider operations at once, 1 or more."""
    targets: tuple[str, ...] = ()
    """URNs to touch, `*` within a part and `**` across parts; empty means everything."""
    target_dependents: bool = False
    """Delete what depends on a deleted target too, instead of failing."""
    replace: tuple[str, ...] = ()
    """URNs to replace although nothing changed."""
    refresh: bool = False
    """Read every live resource before comparing; `refresh()` itself always does."""
    expect_no_changes: bool = False
    """Raise ChangesError when anything changes."""
    continue_on_error: bool = False
    """Go on with what does not depend on a failed step."""
    dry_run: bool = False
    """For `up`, `refresh` and `destroy`: say what would happen, and do nothing."""
    clear_pending_creates: bool = False
    """For `refresh`: forget creates that a crash left open, after you have made sure that they made nothing."""
    message: str = ""
    """Kept in the stack's history."""
    show_secrets: bool = False
    """Give `Result.outputs` with secrets in plain text."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an operation did, or would do."""

    changes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Resources by what happened to them: `same`, `create`, `update`, `delete`, `replace`, `read`, `import`."""
    steps: Sequence[Step] = ()
    diagnostics: Sequence[DiagnosticEvent] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The stack's outputs as JSON data: secrets are `[secret]` unless they were asked for; what a preview leaves open is `[unknown]`."""
    duration_seconds: float = 0
    ok: bool = True

    @property
    def has_changes(self) -> bool:
        """Whether anything but reading and leaving alone happened."""
        return any(count for op, count in self.changes.items() if op not in ("same", "read"))


class Engine:
    """Runs operations on one stack. Not for use from several threads at once."""

    def __init__(
        self,
        project_dir: Path | str,
        stack: str,
        *,
        backend_url: str | None = None,
        providers: Mapping[str, Callable[[], Provider]] | None = None,
        policy_packs: Sequence[Path] = (),
        on_event: Callable[[Event], None] | None = None,
        program: Callable[[], Any] | None = None,
        environ: Mapping[str, str] | None = None,
        import_ahead: Callable[[], None] = lambda: None,
    ) -> None:
        """`backend_url`: None means PULUMI_BACKEND_URL. `providers`: by package, before any plugin. `program`: inline, instead of `main`.

        `environ`: the environment of the operations, the program's too; None means the process' own. Raises UsageError when the project
        cannot be read, or a policy pack's folder holds none.
        `import_ahead`: imports what in-process providers will need; called while the key of the stack's secrets is derived.
        """
        self.project: Project = load_project(Path(project_dir))
        self.stack = stack
        self._environ = dict(os.environ if environ is None else environ)
        self._sets_environ = environ is not None
        self._backend_url = backend_url or self._environ.get(BACKEND_URL_VARIABLE, "")
        self._backend = FileBackend(self._backend_url, environ=self._environ)
        self._plugins = PluginSource(providers or {}, project=self.project, environ=self._environ)
        self._policy_packs = tuple(policy_packs)
        for pack in self._policy_packs:
            read_manifest(pack)
        self._on_event = on_event
        self._import_ahead = import_ahead
        self._program = program
        self._running: Operation | None = None

    # ------------------------------------------------------------ operations

    def preview(self, options: Options | None = None) -> Result:
        """Run the program and say what `up` would do. Nothing is written, and no lock is taken."""
        return self._run(OperationKind.PREVIEW, options or Options(), dry_run=True)

    def up(self, options: Options | None = None) -> Result:
        """Run the program and make the stack what it says. The stack is made if it does not exist yet."""
        options = options or Options()
        return self._run(OperationKind.UPDATE, options, dry_run=options.dry_run)

    def refresh(self, options: Options | None = None) -> Result:
        """Bring the state in line with the live resources, without running the program."""
        options = options or Options()
        return self._run(OperationKind.REFRESH, options, dry_run=options.dry_run)

    def destroy(self, options: Options | None = None) -> Result:
        """Delete everything in the state, without running the program."""
        options = options or Options()
        return self._run(OperationKind.DESTROY, options, dry_run=options.dry_run)

    def interrupt(self) -> None:
        """End the running operation early: nothing new starts, what runs is ended or finished, and recorded. Thread-safe."""
        running = self._running
        if running is not None:
            running.cancel()

    # ------------------------------------------------------------ the state

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The stack's outputs as JSON data. Raises NotFoundError when there is no such stack."""
        return plain_json(self._stack_outputs(self._load()), show_secrets=show_secrets)

    def snapshot(self) -> Snapshot:
        """The stack's state. Raises NotFoundError when there is no such stack."""
        return self._load()

    def export(self) -> dict[str, Any]:
        """The state as `pulumi stack export` gives it, secrets encrypted."""
        self._load()
        return self._store().export()

    def import_(self, deployment: Mapping[str, Any]) -> None:
        """Replace the state by an exported one."""
        store = self._store()
        with store.lock():
            store.import_(deployment)

    def cancel(self) -> int:
        """Remove the locks that a killed operation has left; how many there were."""
        return self._store().unlock_all()

    def _store(self) -> StackStore:
        return self._backend.stack(self.project.name, self.stack)

    def _load(self) -> Snapshot:
        snapshot = self._store().load()
        if snapshot is None:
            raise NotFoundError(
                f"no stack named '{self.stack}' found in project '{self.project.name}'",
                where=self._backend_url,
                remedy="run `up` first, or check the name",
            )
        return snapshot

    @staticmethod
    def _stack_outputs(snapshot: Snapshot) -> PropertyMap:
        return next(
            (state.outputs for state in snapshot.resources if state.type == STACK_TYPE and not state.delete),
            dict[str, Any](),
        )

    # ------------------------------------------------------------ running

    def _run(self, kind: OperationKind, options: Options, *, dry_run: bool) -> Result:
        if options.parallel < 1:
            raise UsageError(f"parallel must be 1 or more, got {options.parallel}")
        store = self._store()
        if kind in (OperationKind.REFRESH, OperationKind.DESTROY):
            self._load()
        with self._environment():
            if dry_run:
                with self._prepare(
                    kind, store, lambda: MemoryWriter(store.load() or Snapshot()), dry_run=True
                ) as ready:
                    operation, result = self._operate(kind, options, ready, store.warnings, dry_run=True)
            else:
                with store.lock():
                    operation, result = self._run_locked(kind, options, store)
        self._raise_failure(operation, result, options, dry_run=dry_run)
        return result

    def _prepare(
        self, kind: OperationKind, store: StackStore, read_base: Callable[[], Writer], *, dry_run: bool
    ) -> AbstractContextManager[Prepared[Writer]]:
        def start_packs(config: StackConfig) -> StartedPacks:
            from slipway.engine.judging import start_packs  # noqa: PLC0415 - see `preparation`

            return start_packs(self._policy_packs, self._identity(), config, preview=dry_run, environ=self._environ)

        return prepare(
            lambda: load_stack_config(self.project, self.stack, store.secrets),
            read_base,
            start_packs if kind in RUNS_PROGRAM else None,
            self._import_ahead,
        )

    def _run_locked(self, kind: OperationKind, options: Options, store: StackStore) -> tuple[Operation, Result]:
        started = datetime.now(UTC)

        def open_writer() -> StackWriter:
            if not store.exists():
                store.create()
            return store.writer()

        with self._prepare(kind, store, open_writer, dry_run=False) as ready:
            result: Result | None = None
            try:
                operation, result = self._operate(kind, options, ready, store.warnings, dry_run=False)
                return operation, result
            finally:
                try:
                    ready.base.close()
                finally:
                    store.record_update(
                        UpdateRecord(
                            kind=kind.value,
                            start_time=started,
                            end_time=datetime.now(UTC),
                            result="succeeded" if result is not None and result.ok else "failed",
                            message=options.message,
                            resource_changes=dict(result.changes) if result is not None else {},
                            config=ready.config.recorded,
                        )
                    )

    def _operate(
        self,
        kind: OperationKind,
        options: Options,
        ready: Prepared[Writer],
        warnings: Sequence[str],
        *,
        dry_run: bool,
    ) -> tuple[Operation, Result]:
        started = time.monotonic()
        diagnostics: list[DiagnosticEvent] = []
        with EventStream(self._on_event) as stream:

            def emit(event: Event) -> None:
                if isinstance(event, DiagnosticEvent):
                    diagnostics.append(event)
                stream.send(event)

            operation = Operation(
                kind,
                project=self.project,
                identity=self._identity(),
                options=DeploymentOptions(
                    parallel=options.parallel,
                    targets=options.targets,
                    target_dependents=options.target_dependents,
                    replace=options.replace,
                    continue_on_error=options.continue_on_error,
                ),
                preview=dry_run,
                refresh=options.refresh,
                clear_pending_creates=options.clear_pending_creates,
                config=ready.config,
                writer=ready.base,
                plugins=self._plugins,
                packs=ready.packs,
                program=self._program,
                load_stack=self._load_other_stack,
                emit=emit,
            )
            self._running = operation
            for warning in warnings:
                operation.deployment.diagnose(warning)
            try:
                outputs = operation.run()
            finally:
                self._running = None
                duration_seconds = time.monotonic() - started
                deployment = operation.deployment
                emit(
                    SummaryEvent(
                        changes=dict(deployment.changes),
                        duration_seconds=duration_seconds,
                        is_preview=dry_run,
                        ok=deployment.ok,
                        maybe_corrupt=deployment.maybe_corrupt,
                        policy_packs=operation.policy_packs,
                    )
                )
                emit(CancelEvent())
        result = Result(
            changes=dict(deployment.changes),
            steps=tuple(deployment.steps),
            diagnostics=tuple(diagnostics),
            outputs=plain_json(outputs, show_secrets=options.show_secrets, unknown=NOT_KNOWN_YET),
            duration_seconds=duration_seconds,
            ok=deployment.ok,
        )
        return operation, result

    def _raise_failure(self, operation: Operation, result: Result, options: Options, *, dry_run: bool) -> None:
        deployment = operation.deployment
        what = f"{operation.kind.value} of {self.stack}"
        if deployment.policy_errors:
            raise PolicyError(f"{what} is refused by policy:\n" + "\n".join(deployment.policy_errors))
        if operation.interrupted:
            raise OperationError(
                f"{what} was interrupted; what was done is recorded", remedy="run the same command again"
            )
        if not deployment.ok:
            faults = "\n".join(deployment.errors)
            remedy = "" if dry_run else "mend the cause and run the same command again: it continues from here"
            raise OperationError(f"{what} failed:\n{faults}", remedy="" if "→" in faults else remedy)
        if options.expect_no_changes and result.has_changes:
            counts = ", ".join(f"{count} to {op}" for op, count in result.changes.items() if op not in ("same", "read"))
            raise ChangesError(f"{what}: no changes were expected, but there are {counts}")

    def _identity(self) -> StackIdentity:
        return StackIdentity(
            project=self.project.name,
            stack=self.stack,
            root=self.project.root,
            program_directory=Path.cwd() if self._program is not None else self.project.program_directory,
        )

    def _load_other_stack(self, name: str) -> Snapshot:
        parts = name.split("/")
        project, stack = (self.project.name, parts[0]) if len(parts) == 1 else (parts[-2], parts[-1])
        snapshot = self._backend.stack(project, stack).load()
        if snapshot is None:
            raise NotFoundError(f"the stack reference {name!r} names no stack of this backend", where=self._backend_url)
        return snapshot

    @contextmanager
    def _environment(self) -> Generator[None]:
        """The given environment as the process' own while an operation runs: the program and in-process providers read it there."""
        if not self._sets_environ:
            yield
            return
        before = dict(os.environ)
        _become(self._environ)
        try:
            yield
        finally:
            _become(before)


def _become(environ: Mapping[str, str]) -> None:
    """Make the process' environment the given one, without a moment in which other threads miss what both have."""
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    os.environ.update({name: text for name, text in environ.items() if os.environ.get(name) != text})
