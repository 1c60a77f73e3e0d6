"""A stack in memory: operations run whole, program and all, and every result can be compared with what is expected."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from recording_provider import Cloud, RecordingProvider

from slipway.engine.config import StackConfig
from slipway.engine.deployment.context import Deployment, DeploymentOptions, StackIdentity
from slipway.engine.deployment.providers import ProviderSource
from slipway.engine.deployment.writing import MemoryWriter, StepWriter
from slipway.engine.events import (
    DiagnosticEvent,
    Event,
    ResourceFailedEvent,
    ResourceOutputsEvent,
    ResourcePreEvent,
    StdoutEvent,
    Step,
)
from slipway.engine.judging import start_packs
from slipway.engine.operation import Operation, OperationKind
from slipway.engine.provider import Provider
from slipway.engine.state.backend import FileBackend
from slipway.engine.state.model import ResourceState, Snapshot
from slipway.engine.urn import name_of

PREFIX = "urn:pulumi:dev::proj::"


def urn(name: str) -> str:
    return f"{PREFIX}test:index:Thing::{name}"


class Thing(pulumi.CustomResource):
    """A resource of the recording provider, any inputs."""

    address: pulumi.Output[str]
    name: pulumi.Output[str]
    size: pulumi.Output[Any]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        outputs = {"address": None, "name": None, "size": None}
        default = pulumi.ResourceOptions(version="1.2.3")
        super().__init__("test:index:Thing", name, {**outputs, **inputs}, pulumi.ResourceOptions.merge(default, opts))


class Group(pulumi.ComponentResource):
    """A component; its children are made by the test."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__("test:index:Group", name, inputs, opts)


class TestProvider(pulumi.ProviderResource):
    """An explicit provider of the package."""

    __test__ = False

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__("test", name, inputs, opts)


@dataclass
class Run:
    """What one operation did."""

    deployment: Deployment
    snapshot: Snapshot
    outputs: dict[str, Any]
    events: list[Event]

    @property
    def ok(self) -> bool:
        return self.deployment.ok

    @property
    def errors(self) -> list[str]:
        return self.deployment.errors

    @property
    def changes(self) -> dict[str, int]:
        return dict(self.deployment.changes)

    @property
    def steps(self) -> list[tuple[str, str]]:
        """(op, name) of the steps that ended, without the stack and default providers."""
        return [(step.op.value, name_of(step.urn)) for step in self.deployment.steps if not _is_plumbing(step)]

    def failed(self) -> list[tuple[str, str]]:
        return [(e.step.op.value, name_of(e.step.urn)) for e in self.events if isinstance(e, ResourceFailedEvent)]

    def messages(self, severity: str) -> list[str]:
        return [e.message for e in self.events if isinstance(e, DiagnosticEvent) and e.severity == severity]

    def printed(self) -> str:
        return "".join(e.message for e in self.events if isinstance(e, StdoutEvent))

    def records(self, name: str) -> list[ResourceState]:
        return [state for state in self.snapshot.resources if name_of(state.urn) == name]

    def record(self, name: str) -> ResourceState:
        (found,) = self.records(name)
        return found

    def names(self) -> list[str]:
        """Names of the records in the state's order, without the stack and default providers."""
        return [
            name_of(state.urn)
            for state in self.snapshot.resources
            if state.type != "pulumi:pulumi:Stack" and not name_of(state.urn).startswith("default")
        ]

    def begun(self) -> list[tuple[str, str]]:
        return [(e.step.op.value, name_of(e.step.urn)) for e in self.events if isinstance(e, ResourcePreEvent)]

    def finished_steps(self) -> list[Step]:
        return [e.step for e in self.events if isinstance(e, ResourceOutputsEvent)]


def _is_plumbing(step: Step) -> bool:
    return step.is_internal or step.state.type == "pulumi:pulumi:Stack"


class _Plugins:
    def __init__(self, make: Callable[[], Provider]) -> None:
        self._make = make

    def load(self, source: ProviderSource) -> Provider:
        return self._make()


class MemoryStack:
    """Stack `dev` of project `proj`, its state in memory between operations."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self.snapshot = Snapshot()
        self.config = StackConfig()
        self.make_provider: Callable[[], Provider] = lambda: RecordingProvider(cloud)
        self.other_stacks: dict[str, Snapshot] = {}

    def preview(self, program: Callable[[], Any], **options: Any) -> Run:
        return self._run(OperationKind.PREVIEW, program, preview=True, **options)

    def up(self, program: Callable[[], Any], **options: Any) -> Run:
        return self._run(OperationKind.UPDATE, program, **options)

    def refresh(self, **options: Any) -> Run:
        return self._run(OperationKind.REFRESH, None, **options)

    def destroy(self, **options: Any) -> Run:
        return self._run(OperationKind.DESTROY, None, **options)

    def open_writer(self, *, preview: bool) -> StepWriter:
        return MemoryWriter(self.snapshot)

    def close_writer(self, writer: StepWriter) -> Snapshot:
        return writer.snapshot()

    def _run(
        self,
        kind: OperationKind,
        program: Callable[[], Any] | None,
        *,
        preview: bool = False,
        refresh: bool = False,
        clear_pending_creates: bool = False,
        policy_packs: tuple[Path, ...] = (),
        **options: Any,
    ) -> Run:
        self.cloud.calls.clear()
        events: list[Event] = []
        writer = self.open_writer(preview=preview)
        identity = StackIdentity(project="proj", stack="dev", root=self.folder, program_directory=self.folder)
        operation = Operation(
            kind,
            project=None,  # type: ignore[arg-type] - only programs on disk need one
            identity=identity,
            options=DeploymentOptions(**options),
            preview=preview,
            refresh=refresh,
            clear_pending_creates=clear_pending_creates,
            config=self.config,
            writer=writer,
            plugins=_Plugins(self.make_provider),  # type: ignore[arg-type]
            packs=start_packs(policy_packs, identity, self.config, preview=preview, environ=os.environ),
            program=program,
            load_stack=lambda name: self.other_stacks[name],
            emit=events.append,
        )
        outputs = operation.run()
        snapshot = self.close_writer(writer)
        if not preview:
            self.snapshot = snapshot
            disorder = find_disorder(snapshot)
            assert not disorder, disorder
        return Run(deployment=operation.deployment, snapshot=snapshot, outputs=outputs, events=events)


class DiskStack(MemoryStack):
    """The same on the file backend: what an operation leaves is what the next one reads from disk."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        super().__init__(cloud, folder)
        environ = {"PULUMI_CONFIG_PASSPHRASE": "correct horse"}
        (folder / "state").mkdir()
        self._store = FileBackend(f"file://{folder}/state", environ=environ).stack("proj", "dev")
        self._store.create()

    def open_writer(self, *, preview: bool) -> StepWriter:
        if preview:
            return MemoryWriter(self._load())
        self.writer = self._store.writer()
        return self.writer

    def close_writer(self, writer: StepWriter) -> Snapshot:
        if writer is self.writer:
            self.writer.close()
            return self._load()
        return writer.snapshot()

    def _load(self) -> Snapshot:
        found = self._store.load()
        assert found is not None
        return found


def find_disorder(snapshot: Snapshot) -> list[str]:
    """Every reference to a record that does not stand earlier in the state."""
    seen: set[str] = set()
    providers: set[str] = set()
    faults: list[str] = []
    for state in snapshot.resources:
        by_property = [one for urns in state.property_dependencies.values() for one in urns]
        named = [state.parent, *state.dependencies, *by_property, state.deleted_with]
        faults += [f"{state.urn} names {one} too early" for one in named if one and one not in seen]
        if state.provider and state.provider not in providers and not state.pending_replacement:
            faults.append(f"{state.urn} names provider {state.provider} too early")
        seen.add(state.urn)
        providers.add(f"{state.urn}::{state.id}")
    return faults
