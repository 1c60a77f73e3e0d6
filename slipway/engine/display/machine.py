"""JSON for machines: the event log as lines (`up --json`), or a preview as one object, both as the Pulumi CLI gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from slipway.engine.events import (
    CancelEvent,
    DiagnosticEvent,
    Event,
    HeartbeatEvent,
    Op,
    PreludeEvent,
    ResourceOutputsEvent,
    Step,
    SummaryEvent,
    detailed_diff_json,
    plain_json,
    to_engine_event,
)
from slipway.engine.state.model import ResourceState
from slipway.engine.state.properties import Vault
from slipway.engine.state.records import encode_record

_NANOSECONDS = 1_000_000_000


class EventLines:
    """Writes each event as one line of JSON. Call it with each event."""

    def __init__(self, write: Callable[[str], object], *, show_secrets: bool = False) -> None:
        """`write`: takes a line with its end, such as `sys.stdout.write`."""
        self._write = write
        self._show_secrets = show_secrets
        self._sequence = 0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, HeartbeatEvent):
            return
        body = to_engine_event(event, self._sequence, show_secrets=self._show_secrets)
        self._sequence += 1
        self._write(json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n")


class PreviewObject:
    """Collects a preview into the object that `pulumi preview --json` prints. Call it with each event, then take `result`."""

    def __init__(self, *, show_secrets: bool = False) -> None:
        self._show_secrets = show_secrets
        self._config: Mapping[str, str] = {}
        self._steps: list[dict[str, Any]] = []
        self._diagnostics: list[dict[str, Any]] = []
        self._summary: SummaryEvent | None = None
        self._described: dict[str, dict[str, Any]] = {}
        """The step that stands for each URN; a component's outputs arrive after it."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match event:
            case PreludeEvent():
                self._config = event.config
            case ResourceOutputsEvent() if not event.step.is_internal:
                self._take(event.step)
            case DiagnosticEvent() if not event.ephemeral:
                self._diagnostics.append({"urn": event.urn, "message": event.message, "severity": event.severity})
            case SummaryEvent():
                self._summary = event
            case CancelEvent():
                pass
            case _:
                pass

    @property
    def result(self) -> dict[str, Any]:
        """The object."""
        summary = self._summary
        body: dict[str, Any] = {
            "config": dict(self._config),
            "steps": self._steps,
            "diagnostics": self._diagnostics,
            "duration": int(summary.duration_seconds * _NANOSECONDS) if summary else 0,
            "changeSummary": dict(summary.changes) if summary else {},
        }
        if summary and summary.maybe_corrupt:
            body["maybeCorrupt"] = True
        return body

    def _take(self, step: Step) -> None:
        known = self._described.get(step.urn)
        if step.op is Op.SAME and known is not None:
            if step.new is not None:
                known["newState"] = self._state(step.new)
            return
        body: dict[str, Any] = {"op": step.op.value, "urn": step.urn, "provider": step.state.provider}
        if step.old is not None:
            body["oldState"] = self._state(step.old)
        if step.new is not None:
            body["newState"] = self._state(step.new)
        if step.change.changed_keys:
            body["diffReasons"] = list(step.change.changed_keys)
        if step.change.replace_keys:
            body["replaceReasons"] = list(step.change.replace_keys)
        body["detailedDiff"] = detailed_diff_json(step.change)
        self._described[step.urn] = body
        self._steps.append(body)

    def _state(self, state: ResourceState) -> dict[str, Any]:
        blinded = replace(
            state,
            inputs=plain_json(state.inputs, show_secrets=self._show_secrets),
            outputs=plain_json(state.outputs, show_secrets=self._show_secrets),
            replacement_trigger=plain_json(state.replacement_trigger, show_secrets=self._show_secrets),
        )
        return encode_record(blinded, _NO_VAULT)


def _refuse() -> NoReturn:
    raise AssertionError("a secret was left in a record that is shown")


_NO_VAULT = Vault(_refuse, _refuse)
