"""What the program wants of one resource, as it arrived: decoded, not yet checked or compared with anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.engine.urn import is_provider_type, package_of
from slipway.engine.values import PropertyMap, Value

STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"


@dataclass(frozen=True, kw_only=True)
class Alias:
    """Another identity the resource may have had: a whole URN, or the parts of it that were different."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    """The earlier parent's URN; empty means the present parent."""
    no_parent: bool = False


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One registration. Field names are the resource options' own; None means that the program did not say."""

    type: str
    name: str
    custom: bool
    remote: bool = False
    parent: str = ""
    inputs: PropertyMap = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    provider: str = ""
    providers: Mapping[str, str] = field(default_factory=dict[str, str])
    version: str = ""
    plugin_download_url: str = ""
    package_ref: str = ""
    protect: bool | None = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    hide_diff: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    import_id: str = ""
    custom_timeouts: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds by `create`, `update`, `delete`, `read`."""
    additional_secret_outputs: tuple[str, ...] = ()
    replacement_trigger: Value = None
    source_position: str = ""
    stack_trace: tuple[Mapping[str, Any], ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def package(self) -> str:
        """The package that serves the type: `aws` of `aws:s3/bucket:Bucket`, and of `pulumi:providers:aws`."""
        return package_of(self.type)

    @property
    def is_provider(self) -> bool:
        """Whether this registers a provider, not something a provider makes."""
        return is_provider_type(self.type)


@dataclass(frozen=True, kw_only=True)
class ReadGoal:
    """A read of a live resource that the stack does not own (`Bucket.get`)."""

    type: str
    name: str
    id: Value
    parent: str = ""
    inputs: PropertyMap = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    provider: str = ""
    version: str = ""
    plugin_download_url: str = ""
    package_ref: str = ""
    additional_secret_outputs: tuple[str, ...] = ()
    source_position: str = ""
    stack_trace: tuple[Mapping[str, Any], ...] = ()
