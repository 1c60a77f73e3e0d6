"""The stack, run by the engine in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slipway.delivery.model.preview import PlannedStep, Preview, name_unknowns
from slipway.delivery.ports import StackResult
from slipway.engine import Engine, Result
from slipway.engine.events import Step, plain_json
from slipway.engine.state.model import ResourceState
from slipway.engine.urn import STACK_TYPE
from slipway.errors import NotFoundError


class EngineStack:
    """Implements `ports.Stack`. The engine is the caller's: its providers, policies and events are chosen there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def preview(self) -> StackResult:
        """See `Stack.preview`."""
        result = self._engine.preview()
        return replace(_result(result), preview=as_preview(result))

    def up(self) -> StackResult:
        """See `Stack.up`."""
        return _result(self._engine.up())

    def refresh(self) -> StackResult:
        """See `Stack.refresh`."""
        return _result(self._engine.refresh())

    def destroy(self) -> StackResult:
        """See `Stack.destroy`."""
        return _result(self._engine.destroy())

    def resources(self) -> int:
        """See `Stack.resources`."""
        try:
            snapshot = self._engine.snapshot()
        except NotFoundError:
            return 0
        return sum(state.type != STACK_TYPE for state in snapshot.resources)

    def outputs(self) -> Mapping[str, Any]:
        """See `Stack.outputs`."""
        try:
            return self._engine.outputs(show_secrets=True)
        except NotFoundError:
            return {}


def _result(result: Result) -> StackResult:
    return StackResult(changes=dict(result.changes), seconds=result.duration_seconds)


def as_preview(result: Result) -> Preview:
    """The engine's plan as the report reads it: secrets blinded, unknowns named, internal steps left out."""
    problems = [item.message.strip() for item in result.diagnostics if item.severity in {"error", "warning"}]
    return Preview(
        steps=tuple(_planned(step) for step in result.steps if step.logical and not step.is_internal),
        changes=dict(result.changes),
        problems=tuple(problems),
    )


def _planned(step: Step) -> PlannedStep:
    change = step.change
    paths = tuple(change.detailed) or change.changed_keys
    return PlannedStep(
        op=step.op.value,
        urn=step.urn,
        changed=paths,
        replaces_because=change.replace_keys,
        provider=step.state.provider.rpartition("::")[0],
        protected=step.state.protect,
        old=_inputs(step.old),
        new=_inputs(step.new),
    )


def _inputs(state: ResourceState | None) -> dict[str, Any]:
    return name_unknowns(plain_json(state.inputs)) if state else {}
