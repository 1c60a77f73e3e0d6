"""The stack, run by the `pulumi` command line through Pulumi's Automation API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import errors as automation_errors
from pulumi.automation.events import StepEventMetadata

from slipway.delivery.model.preview import PlannedStep, Preview, name_unknowns
from slipway.delivery.ports import StackResult
from slipway.delivery.scrubbing import scrub
from slipway.errors import LockedError, MachineError, NotFoundError, OperationError

STACK_TYPE = "pulumi:pulumi:Stack"
TAIL_CHARACTERS = 2000
"""As much of the CLI's output as a message can carry; the end tells what failed."""


class AutomationStack:
    """Implements `ports.Stack`. The `pulumi` CLI must be on PATH; backend and credentials come from the environment."""

    def __init__(
        self,
        project_dir: Path,
        stack: str,
        *,
        policy_packs: Sequence[Path] = (),
        on_output: Callable[[str], None] | None = None,
    ) -> None:
        self._project_dir = project_dir
        self._name = stack
        self._policy_packs = [str(path) for path in policy_packs]
        self._on_output = on_output
        self._opened: automation.Stack | None = None

    def preview(self) -> StackResult:
        """See `Stack.preview`."""
        events: list[automation.EngineEvent] = []
        began = time.monotonic()
        result = self._call(
            lambda stack: stack.preview(
                policy_packs=self._policy_packs, on_event=events.append, on_output=self._on_output
            )
        )
        changes = {
            getattr(operation, "value", str(operation)): count for operation, count in result.change_summary.items()
        }
        return StackResult(changes=changes, seconds=time.monotonic() - began, preview=as_preview(events, changes))

    def up(self) -> StackResult:
        """See `Stack.up`."""
        return self._change(lambda stack: stack.up(policy_packs=self._policy_packs, on_output=self._on_output))

    def refresh(self) -> StackResult:
        """See `Stack.refresh`."""
        return self._change(lambda stack: stack.refresh(on_output=self._on_output))

    def destroy(self) -> StackResult:
        """See `Stack.destroy`."""
        return self._change(lambda stack: stack.destroy(on_output=self._on_output))

    def resources(self) -> int:
        """See `Stack.resources`."""
        try:
            state: dict[str, Any] | None = self._call(lambda stack: stack.export_stack().deployment, self._existing)
        except NotFoundError:
            return 0
        return sum(record["type"] != STACK_TYPE for record in (state or {}).get("resources") or ())

    def outputs(self) -> Mapping[str, Any]:
        """See `Stack.outputs`."""
        try:
            return {name: output.value for name, output in self._call(lambda stack: stack.outputs()).items()}
        except NotFoundError:
            return {}

    def _change(self, operation: Callable[[automation.Stack], Any]) -> StackResult:
        began = time.monotonic()
        result = self._call(operation)
        return StackResult(changes=dict(result.summary.resource_changes or {}), seconds=time.monotonic() - began)

    def _call(
        self, operation: Callable[[automation.Stack], Any], find: Callable[[], automation.Stack] | None = None
    ) -> Any:
        try:
            return operation((find or self._stack)())
        except automation_errors.ConcurrentUpdateError as error:
            raise LockedError(
                f"the stack {self._name} is locked: {_tail(error)}",
                remedy=f"wait, or `pulumi cancel --stack {self._name}`",
            ) from error
        except automation_errors.StackNotFoundError as error:
            raise NotFoundError(
                f"no stack {self._name}", where=str(self._project_dir), remedy=f"run `slipway up {self._name}` first"
            ) from error
        except automation_errors.CommandError as error:
            raise OperationError(f"pulumi failed: {_tail(error)}", where=self._name) from error
        except FileNotFoundError as error:
            raise MachineError(
                "the pulumi CLI is not installed", remedy="install it, or use the sandbox: `slipway --sandbox …`"
            ) from error

    def _stack(self) -> automation.Stack:
        if self._opened is None:
            self._opened = automation.create_or_select_stack(stack_name=self._name, work_dir=str(self._project_dir))
        return self._opened

    def _existing(self) -> automation.Stack:
        return automation.select_stack(stack_name=self._name, work_dir=str(self._project_dir))


def _tail(error: Exception) -> str:
    return scrub(str(error))[-TAIL_CHARACTERS:]


def as_preview(events: Sequence[automation.EngineEvent], changes: Mapping[str, int]) -> Preview:
    """The CLI's event log as the report reads it; the CLI has blinded the secrets."""
    steps = [event.resource_pre_event.metadata for event in events if event.resource_pre_event]
    policy = [event.policy_event for event in events if event.policy_event]
    problems = [event.diagnostic_event for event in events if event.diagnostic_event]
    return Preview(
        steps=tuple(
            _planned(step)
            for step in steps
            if step.logical is not False and not step.type.startswith("pulumi:providers:")
        ),
        changes=dict(changes),
        policy=tuple(f"{item.enforcement_level}: {item.policy_name}: {item.message.strip()}" for item in policy),
        problems=tuple(item.message.strip() for item in problems if item.severity in {"error", "warning"}),
    )


def _planned(step: StepEventMetadata) -> PlannedStep:
    return PlannedStep(
        op=step.op.value,
        urn=step.urn,
        changed=tuple(step.detailed_diff or step.diffs or ()),
        replaces_because=tuple(step.keys or ()),
        provider=step.provider.rpartition("::")[0],
        protected=bool(step.new and step.new.protect),
        old=name_unknowns(dict(step.old.inputs or {})) if step.old else {},
        new=name_unknowns(dict(step.new.inputs or {})) if step.new else {},
    )
