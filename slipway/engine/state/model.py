"""The state of a stack: what the last operation left, resource by resource, in dependency order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from slipway.engine.values import PropertyMap, Value


@dataclass(frozen=True, kw_only=True)
class ResourceState:
    """One record of the snapshot. Frozen: a step makes a new record with `dataclasses.replace`.

    Field names are the state file's own words in snake case; the file's meaning of each is in the Pulumi docs of `apitype.ResourceV3`.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    delete: bool = False
    """True: superseded by a replacement under the same URN, still to be deleted."""
    inputs: PropertyMap = field(default_factory=dict[str, Value])
    outputs: PropertyMap = field(default_factory=dict[str, Value])
    parent: str = ""
    protect: bool = False
    taint: bool = False
    external: bool = False
    dependencies: tuple[str, ...] = ()
    init_errors: tuple[str, ...] = ()
    provider: str = ""
    """`<provider urn>::<provider id>`; empty for components and providers."""
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    pending_replacement: bool = False
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """Only while a run lasts: normalized away when the snapshot is saved."""
    custom_timeouts: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds by `create`, `update`, `delete`, `read`."""
    import_id: str = ""
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    created: datetime | None = None
    modified: datetime | None = None
    source_position: str = ""
    stack_trace: tuple[Mapping[str, Any], ...] = ()
    ignore_changes: tuple[str, ...] = ()
    hide_diff: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    replacement_trigger: Value = None
    refresh_before_update: bool = False
    view_of: str = ""
    resource_hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keys of the file that this engine does not understand, kept as they were."""


class OperationType(StrEnum):
    """What was under way when the record was written."""

    CREATING = "creating"
    UPDATING = "updating"
    DELETING = "deleting"
    READING = "reading"
    IMPORTING = "importing"


@dataclass(frozen=True, kw_only=True)
class PendingOperation:
    """An operation begun and not known to have ended: what a crash leaves."""

    resource: ResourceState
    type: OperationType


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A stack's whole state. `resources` is in dependency order: whatever a record names comes before it."""

    resources: tuple[ResourceState, ...] = ()
    pending_operations: tuple[PendingOperation, ...] = ()
    manifest_time: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keys of the deployment that this engine does not understand, kept as they were."""
