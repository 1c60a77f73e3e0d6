"""The program's requests as goals: protobuf in, values out. Nothing is decided here."""

from __future__ import annotations

# The SDK's protobuf modules are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from google.protobuf import struct_pb2
from pulumi.runtime.proto import alias_pb2, resource_pb2, source_pb2

from slipway.engine.assets import with_hashes
from slipway.engine.deployment.goal import Alias, Goal, ReadGoal
from slipway.engine.values import UNKNOWN, UNKNOWN_SENTINEL, PropertyMap, Value
from slipway.engine.wire import decode, decode_value
from slipway.errors import UsageError

_HOOK_POINTS = ("before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete")
_DURATION_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def decode_goal(request: resource_pb2.RegisterResourceRequest, *, root: Path, directory: Path) -> Goal:
    """A registration. `root`: what source positions are relative to; `directory`: where relative asset paths start."""
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        remote=request.remote,
        parent=request.parent,
        inputs=decode_inputs(request.object, directory),
        dependencies=tuple(dict.fromkeys(request.dependencies)),
        property_dependencies={key: tuple(value.urns) for key, value in request.propertyDependencies.items()},
        provider=request.provider,
        providers=dict(request.providers),
        version=request.version,
        plugin_download_url=request.pluginDownloadURL,
        package_ref=request.packageRef,
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        replace_with=tuple(request.replace_with),
        delete_before_replace=_delete_before_replace(request),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        hide_diff=tuple(request.hideDiffs),
        aliases=(*(Alias(urn=urn) for urn in request.aliasURNs), *map(_alias, request.aliases)),
        import_id=request.importId,
        custom_timeouts=_timeouts(request.customTimeouts),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        replacement_trigger=_trigger(request),
        source_position=_position(request.sourcePosition, root),
        stack_trace=_trace(request.stackTrace, root),
        hooks=_hooks(request),
    )


def decode_read(request: resource_pb2.ReadResourceRequest, *, root: Path, directory: Path) -> ReadGoal:
    """A read."""
    return ReadGoal(
        type=request.type,
        name=request.name,
        id=UNKNOWN if request.id == UNKNOWN_SENTINEL else request.id,
        parent=request.parent,
        inputs=decode_inputs(request.properties, directory),
        dependencies=tuple(dict.fromkeys(request.dependencies)),
        provider=request.provider,
        version=request.version,
        plugin_download_url=request.pluginDownloadURL,
        package_ref=request.packageRef,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        source_position=_position(request.sourcePosition, root),
        stack_trace=_trace(request.stackTrace, root),
    )


def decode_inputs(struct: struct_pb2.Struct, directory: Path) -> PropertyMap:
    """Properties as the program sent them, with the hashes of their assets computed."""
    return {key: with_hashes(value, directory) for key, value in decode(struct).items() if value is not None}


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `10m` or `1h30m`; 0 for an empty one. Raises UsageError."""
    if not text:
        return 0.0
    if not re.fullmatch(r"(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+", text):
        raise UsageError(f"custom timeout {text!r} is no duration", remedy="write it like 30s, 10m or 1h30m")
    parts: Iterable[tuple[str, str]] = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", text)
    return sum(float(number) * _DURATION_UNIT_SECONDS[unit] for number, unit in parts)


def _delete_before_replace(request: resource_pb2.RegisterResourceRequest) -> bool | None:
    is_said = request.deleteBeforeReplace or request.deleteBeforeReplaceDefined
    return request.deleteBeforeReplace if is_said else None


def _trigger(request: resource_pb2.RegisterResourceRequest) -> Value:
    return decode_value(request.replacement_trigger) if request.HasField("replacement_trigger") else None


def _alias(message: alias_pb2.Alias) -> Alias:
    if message.WhichOneof("alias") == "urn":
        return Alias(urn=message.urn)
    spec = message.spec
    return Alias(
        name=spec.name,
        type=spec.type,
        stack=spec.stack,
        project=spec.project,
        parent=spec.parentUrn,
        no_parent=spec.noParent,
    )


def _timeouts(message: resource_pb2.RegisterResourceRequest.CustomTimeouts) -> Mapping[str, float]:
    texts = {"create": message.create, "update": message.update, "delete": message.delete, "read": message.read}
    return {operation: parse_duration(text) for operation, text in texts.items() if text}


def _hooks(request: resource_pb2.RegisterResourceRequest) -> Mapping[str, tuple[str, ...]]:
    if not request.HasField("hooks"):
        return {}
    bound = {point: tuple(getattr(request.hooks, point)) for point in _HOOK_POINTS}
    return {point: names for point, names in bound.items() if names}


def _position(position: source_pb2.SourcePosition, root: Path) -> str:
    """`project:///infra/__main__.py#12`; empty for a position outside the project, which would name the user's machine."""
    inside = _inside(position.uri, root)
    if inside is None:
        return ""
    column = f",{position.column}" if position.column else ""
    return f"project:///{inside}#{position.line}{column}"


@lru_cache(maxsize=1024)
def _inside(uri: str, root: Path) -> str | None:
    """The file's path in the project. Remembered: the same few files stand in the stack trace of every resource."""
    parsed = urlparse(uri)
    if parsed.scheme != "file":
        return None
    try:
        return Path(unquote(parsed.path)).relative_to(root).as_posix()
    except ValueError:
        return None


def _trace(trace: source_pb2.StackTrace, root: Path) -> tuple[Mapping[str, Any], ...]:
    positions = [_position(frame.pc, root) for frame in trace.frames]
    return tuple({"sourcePosition": position} for position in positions if position)
