"""The stack, run by the engine in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.delivery.ports import StackResult
from slipway.engine import Engine, Result
from slipway.errors import NotFoundError


class EngineStack:
    """Implements `ports.Stack`. The engine is the caller's: its providers, policies and events are chosen there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def preview(self) -> StackResult:
        """See `Stack.preview`."""
        return _result(self._engine.preview())

    def up(self) -> StackResult:
        """See `Stack.up`."""
        return _result(self._engine.up())

    def refresh(self) -> StackResult:
        """See `Stack.refresh`."""
        return _result(self._engine.refresh())

    def destroy(self) -> StackResult:
        """See `Stack.destroy`."""
        return _result(self._engine.destroy())

    def outputs(self) -> Mapping[str, Any]:
        """See `Stack.outputs`."""
        try:
            return self._engine.outputs(show_secrets=True)
        except NotFoundError:
            return {}


def _result(result: Result) -> StackResult:
    return StackResult(changes=dict(result.changes), seconds=result.duration_seconds, report=result)
