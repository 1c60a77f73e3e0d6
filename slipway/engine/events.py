"""What happens during an operation, as typed events and as the JSON lines of Pulumi's event log.

Renderers, the command line and tests all take these; none of them looks into the deployment. `to_engine_event` gives the JSON object of
`apitype.EngineEvent`; secrets are blinded there and nowhere else, so no renderer can forget it.
"""

from __future__ import annotations

# Values are `Any` by design (see `Value`), and narrowing `Any` with isinstance leaves the types of its parts unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from slipway.engine import urn as urns
from slipway.engine.deployment.compare import Change
from slipway.engine.state.model import ResourceState
from slipway.engine.values import (
    UNKNOWN,
    UNKNOWN_SENTINEL,
    OutputValue,
    ResourceRef,
    Secret,
    Value,
)
from slipway.engine.wire import encode_fields

BLINDED = "[secret]"
"""What stands where a secret was, in events, plans and outputs."""


NOT_KNOWN_YET = "[unknown]"
"""What stands in a result for a value that a preview leaves open."""


class Op(StrEnum):
    """What a step does; values as in Pulumi's event log and change summary."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    CREATE_REPLACEMENT = "create-replacement"
    DELETE_REPLACED = "delete-replaced"
    READ = "read"
    READ_REPLACEMENT = "read-replacement"
    REFRESH = "refresh"
    DISCARD = "discard"
    DISCARD_REPLACED = "discard-replaced"
    REMOVE_PENDING_REPLACE = "remove-pending-replace"
    IMPORT = "import"
    IMPORT_REPLACEMENT = "import-replacement"


Severity = Literal["debug", "info", "info#err", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a plan or of its execution."""

    op: Op
    urn: str
    old: ResourceState | None = None
    new: ResourceState | None = None
    change: Change = field(default_factory=Change)
    logical: bool = True
    """False: part of a replacement, which counts once, as its `replace`."""

    @property
    def state(self) -> ResourceState:
        """The record the step is about: the new one, if there is one."""
        found = self.new or self.old
        if found is None:
            raise ValueError(f"a step without a record: {self.op.value} {self.urn}")
        return found

    @property
    def is_internal(self) -> bool:
        """Whether the step is of a default provider, which people did not write and plans do not show."""
        name = urns.name_of(self.urn)
        return urns.is_provider_type(urns.type_of(self.urn)) and (name == "default" or name.startswith("default_"))


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events."""

    timestamp_seconds: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class PreludeEvent(Event):
    """The operation begins."""

    config: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class StdoutEvent(Event):
    """The program printed."""

    message: str


@dataclass(frozen=True, kw_only=True)
class DiagnosticEvent(Event):
    """A message about a resource, or about the operation when `urn` is empty."""

    message: str
    severity: Severity = "info"
    urn: str = ""
    stream_id: int = 0
    ephemeral: bool = False


@dataclass(frozen=True, kw_only=True)
class ResourcePreEvent(Event):
    """A step begins."""

    step: Step
    planning: bool = False


@dataclass(frozen=True, kw_only=True)
class ResourceOutputsEvent(Event):
    """A step ended well; or a component's outputs arrived."""

    step: Step
    planning: bool = False


@dataclass(frozen=True, kw_only=True)
class ResourceFailedEvent(Event):
    """A step failed. `status` 0: the resource is as it was; 1: partly done and recorded; 2: unknown."""

    step: Step
    status: int = 0


@dataclass(frozen=True, kw_only=True)
class PolicyEvent(Event):
    """A policy was violated."""

    message: str
    policy: str
    pack: str
    pack_version: str = ""
    enforcement: str = "advisory"
    urn: str = ""


@dataclass(frozen=True, kw_only=True)
class SummaryEvent(Event):
    """The operation ended; always the last event but `CancelEvent`."""

    changes: Mapping[str, int]
    duration_seconds: float
    is_preview: bool
    ok: bool
    maybe_corrupt: bool = False
    policy_packs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Version by name of the packs that ran."""


@dataclass(frozen=True, kw_only=True)
class HeartbeatEvent(Event):
    """Nothing has happened for a while, and the operation still runs. For people only: the event log has no such event."""


@dataclass(frozen=True, kw_only=True)
class CancelEvent(Event):
    """Ends the stream."""


def plain_json(value: Value, *, show_secrets: bool = False, unknown: str = UNKNOWN_SENTINEL) -> Any:
    """A value as JSON data: secrets blinded unless asked for, assets in their file form, `unknown` for what is not known yet."""

    def plain(item: Value) -> Any:
        if isinstance(item, OutputValue):
            item = Secret(item.value) if item.secret else item.value
        if isinstance(item, Secret):
            return plain(item.value) if show_secrets else BLINDED
        if isinstance(item, dict):
            return {key: plain(part) for key, part in item.items()}
        if isinstance(item, list):
            return [plain(part) for part in item]
        if isinstance(item, ResourceRef):
            item = item.urn if item.id is None else item.id
        fields = encode_fields(item)
        return unknown if item is UNKNOWN else item if fields is None else fields

    return plain(value)


def to_engine_event(event: Event, sequence: int, *, show_secrets: bool = False) -> dict[str, Any]:
    """The event as Pulumi's EngineEvent JSON object."""
    kind, body = _body(event, show_secrets=show_secrets)
    return {"sequence": sequence, "timestamp": int(event.timestamp_seconds), kind: body}


def _body(event: Event, *, show_secrets: bool) -> tuple[str, dict[str, Any]]:  # noqa: PLR0911 - one per kind
    match event:
        case PreludeEvent():
            return "preludeEvent", {"config": dict(event.config)}
        case StdoutEvent():
            return "stdoutEvent", {"message": event.message, "color": "never"}
        case DiagnosticEvent():
            return "diagnosticEvent", _diagnostic(event)
        case ResourcePreEvent():
            body = {"metadata": _metadata(event.step, show_secrets=show_secrets), "planning": event.planning}
            return "resourcePreEvent", body
        case ResourceOutputsEvent():
            body = {"metadata": _metadata(event.step, show_secrets=show_secrets), "planning": event.planning}
            return "resOutputsEvent", body
        case ResourceFailedEvent():
            metadata = _metadata(event.step, show_secrets=show_secrets)
            return "resOpFailedEvent", {"metadata": metadata, "status": event.status, "steps": 0}
        case PolicyEvent():
            return "policyEvent", _policy(event)
        case SummaryEvent():
            return "summaryEvent", _summary(event)
        case _:
            return "cancelEvent", {}


def _diagnostic(event: DiagnosticEvent) -> dict[str, Any]:
    body: dict[str, Any] = {
        "message": event.message,
        "color": "never",
        "severity": event.severity,
        "streamID": event.stream_id,
    }
    if event.urn:
        body["urn"] = event.urn
    if event.ephemeral:
        body["ephemeral"] = True
    return body


def _policy(event: PolicyEvent) -> dict[str, Any]:
    return {
        "resourceUrn": event.urn,
        "message": event.message,
        "color": "never",
        "policyName": event.policy,
        "policyPackName": event.pack,
        "policyPackVersion": event.pack_version,
        "policyPackVersionTag": event.pack_version,
        "enforcementLevel": event.enforcement,
    }


def _summary(event: SummaryEvent) -> dict[str, Any]:
    return {
        "maybeCorrupt": event.maybe_corrupt,
        "durationSeconds": int(event.duration_seconds),
        "resourceChanges": dict(event.changes),
        "PolicyPacks": dict(event.policy_packs),
        "isPreview": event.is_preview,
        "result": "succeeded" if event.ok else "failed",
    }


def _metadata(step: Step, *, show_secrets: bool) -> dict[str, Any]:
    change = step.change
    body: dict[str, Any] = {
        "op": step.op.value,
        "urn": step.urn,
        "type": urns.type_of(step.urn),
        "old": _state(step.old, show_secrets=show_secrets),
        "new": _state(step.new, show_secrets=show_secrets),
        "detailedDiff": detailed_diff_json(change),
        "logical": step.logical,
        "provider": step.state.provider,
    }
    if change.replace_keys:
        body["keys"] = list(change.replace_keys)
    if change.changed_keys:
        body["diffs"] = list(change.changed_keys)
    return body


def detailed_diff_json(change: Change) -> dict[str, Any] | None:
    """The change by path as in the event log; None when nothing is known by path."""
    if not change.detailed:
        return None
    return {path: {"diffKind": one.kind.value, "inputDiff": one.input_diff} for path, one in change.detailed.items()}


def _state(state: ResourceState | None, *, show_secrets: bool) -> dict[str, Any] | None:
    if state is None:
        return None
    body: dict[str, Any] = {
        "type": state.type,
        "urn": state.urn,
        "custom": state.custom,
        "delete": state.delete,
        "id": state.id,
        "parent": state.parent,
        "protect": state.protect,
        "external": state.external,
        "retainOnDelete": state.retain_on_delete,
        "inputs": plain_json(state.inputs, show_secrets=show_secrets),
        "outputs": plain_json(state.outputs, show_secrets=show_secrets),
        "provider": state.provider,
        "initErrors": list(state.init_errors),
    }
    return {
        key: value
        for key, value in body.items()
        if value or key in {"type", "urn", "inputs", "outputs", "parent", "provider"}
    }
