"""The provider protocol's messages to and from the engine's own types: what client and server share."""

# grpc and google.rpc ship no types: what their stubs answer is fixed by the protocol.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownLambdaType=false
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

import grpc
from google.protobuf import struct_pb2

# Its own copy of google.rpc.Status: a process takes that name once, and a program that imports pulumi.provider needs this one.
from pulumi.runtime.proto import provider_pb2, status_pb2

from slipway.engine.provider import (
    CheckFailure,
    DiffChanges,
    DiffKind,
    DiffResult,
    InitializationError,
    NotImplementedByProviderError,
    PropertyDiff,
    ProviderError,
    StatusUnknownError,
)
from slipway.engine.values import Archive, Asset, PropertyMap, Secret, unwrap_secrets
from slipway.engine.wire import KEEP_ALL, Options, decode, encode

CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
"""A property map may hold a whole file: Pulumi allows 400 MB a message."""

STATUS_DETAILS_KEY = "grpc-status-details-bin"

_CHANGES = {
    DiffChanges.UNKNOWN: provider_pb2.DiffResponse.DIFF_UNKNOWN,
    DiffChanges.NONE: provider_pb2.DiffResponse.DIFF_NONE,
    DiffChanges.SOME: provider_pb2.DiffResponse.DIFF_SOME,
}
_CHANGES_BACK = {number: changes for changes, number in _CHANGES.items()}
_KINDS = {kind: provider_pb2.PropertyDiff.Kind.Value(kind.name) for kind in DiffKind}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}

_UNKNOWN_STATUS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNKNOWN})
"""After these the resource may exist or not: Pulumi's own rule."""
_LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
"""The connection or the wait ended before the answer came."""


class FailedCall(Protocol):
    """What grpc raises from a stub's method."""

    def code(self) -> grpc.StatusCode:
        """The status."""
        ...

    def details(self) -> str | None:
        """The message."""
        ...

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Where the details are."""
        ...


def encode_diff(result: DiffResult) -> provider_pb2.DiffResponse:
    """A diff as the protocol says it."""
    response = provider_pb2.DiffResponse(
        changes=_CHANGES[result.changes],
        replaces=result.replaces,
        diffs=result.diffs,
        stables=result.stables,
        deleteBeforeReplace=result.delete_before_replace,
        hasDetailedDiff=result.detailed is not None,
    )
    for path, diff in (result.detailed or {}).items():
        response.detailedDiff[path].CopyFrom(
            provider_pb2.PropertyDiff(kind=_KINDS[diff.kind], inputDiff=diff.input_diff)
        )
    return response


def decode_diff(response: provider_pb2.DiffResponse) -> DiffResult:
    """A diff; its detailed part counts only where the provider says that it has one."""
    detailed = {
        path: PropertyDiff(kind=_KINDS_BACK[diff.kind], input_diff=diff.inputDiff)
        for path, diff in response.detailedDiff.items()
    }
    return DiffResult(
        changes=_CHANGES_BACK[response.changes],
        replaces=tuple(response.replaces),
        diffs=tuple(response.diffs),
        stables=tuple(response.stables),
        delete_before_replace=response.deleteBeforeReplace,
        detailed=detailed if response.hasDetailedDiff else None,
    )


def encode_failures(failures: Iterable[CheckFailure]) -> list[provider_pb2.CheckFailure]:
    """Refused inputs as the protocol says them."""
    return [provider_pb2.CheckFailure(property=failure.property, reason=failure.reason) for failure in failures]


def decode_failures(failures: Iterable[provider_pb2.CheckFailure]) -> tuple[CheckFailure, ...]:
    """Refused inputs."""
    return tuple(CheckFailure(property=failure.property, reason=failure.reason) for failure in failures)


def decode_map(message: Any, field: str, options: Options = KEEP_ALL) -> PropertyMap:
    """A message's property map; empty where it has none."""
    struct: struct_pb2.Struct = getattr(message, field)
    return decode(struct, options)


def encode_error(error: Exception) -> status_pb2.Status:
    """What a provider raised, as a status with its details."""
    if isinstance(error, InitializationError):
        details = provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=encode(error.outputs), reasons=error.reasons
        )
        if error.inputs is not None:
            details.inputs.CopyFrom(encode(error.inputs))
        status = _status(grpc.StatusCode.UNKNOWN, str(error))
        status.details.add().Pack(details)
        return status
    if isinstance(error, NotImplementedByProviderError):
        return _status(grpc.StatusCode.UNIMPLEMENTED, str(error))
    if isinstance(error, StatusUnknownError):
        return _status(grpc.StatusCode.UNKNOWN, str(error))
    if isinstance(error, ProviderError):
        return _status(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    return _status(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")


def _status(code: grpc.StatusCode, message: str) -> status_pb2.Status:
    number: int = code.value[0]
    return status_pb2.Status(code=number, message=message)


def decode_error(error: FailedCall, *, changes_resource: bool) -> ProviderError:
    """What a failed call means. `changes_resource`: a lost answer leaves the resource's state unknown."""
    message = error.details() or error.code().name
    for detail in _details(error):
        init_failed = provider_pb2.ErrorResourceInitFailed()
        if detail.Unpack(init_failed):
            return InitializationError(
                id=init_failed.id,
                outputs=decode(init_failed.properties),
                reasons=tuple(init_failed.reasons),
                inputs=decode(init_failed.inputs) if init_failed.HasField("inputs") else None,
            )
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return NotImplementedByProviderError(message)
    if changes_resource and error.code() in _UNKNOWN_STATUS | _LOST:
        return StatusUnknownError(message)
    return ProviderError(message)


def _details(error: FailedCall) -> Iterable[Any]:
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS_KEY and isinstance(value, bytes):
            status = status_pb2.Status()
            status.ParseFromString(value)
            return tuple(status.details)
    return ()


def restore_assets(given: Any, answered: Any) -> Any:
    """`answered` with the content of assets that were sent by their hash only, where the hash is still the same."""
    if isinstance(answered, (Asset, Archive)):
        return given if type(given) is type(answered) and given.hash == answered.hash else answered
    if isinstance(answered, Secret):
        return Secret(restore_assets(given.value if isinstance(given, Secret) else given, answered.value))
    if isinstance(answered, dict):
        before = cast(dict[str, Any], given) if isinstance(given, dict) else {}
        return {key: restore_assets(before.get(key), item) for key, item in cast(dict[str, Any], answered).items()}
    if isinstance(answered, list):
        items = cast(list[Any], answered)
        old = cast(list[Any], given) if isinstance(given, list) else []
        return [restore_assets(old[index] if index < len(old) else None, item) for index, item in enumerate(items)]
    return answered


AUTONAMING_MODES: Mapping[str, int] = {"propose": 0, "enforce": 1, "disable": 2}
"""`CallContext.autonaming["mode"]` by the protocol's number."""


def legacy_variables(package: str, inputs: PropertyMap) -> dict[str, str]:
    """The configuration as text by `<package>:config:<key>`; what is no text becomes JSON."""
    plain = unwrap_secrets({key: value for key, value in inputs.items() if key != "version"})
    return {
        f"{package}:config:{key}": value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for key, value in plain.items()
    }
