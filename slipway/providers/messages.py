"""The provider protocol's messages, to and from the types of `provider`."""

# grpc ships no types.
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc

# The SDK's copy of google.rpc.Status: a process can load that name once only.
from pulumi.runtime.proto import provider_pb2, status_pb2

from slipway.providers.provider import (
    CallContext,
    CheckFailure,
    DiffChanges,
    DiffKind,
    DiffResult,
    InitializationError,
    NotImplementedByProviderError,
    ProviderError,
    StatusUnknownError,
)
from slipway.providers.wire import encode

STATUS_DETAILS_KEY = "grpc-status-details-bin"

_CHANGES = {
    DiffChanges.UNKNOWN: provider_pb2.DiffResponse.DIFF_UNKNOWN,
    DiffChanges.NONE: provider_pb2.DiffResponse.DIFF_NONE,
    DiffChanges.SOME: provider_pb2.DiffResponse.DIFF_SOME,
}
_KINDS = {kind: provider_pb2.PropertyDiff.Kind.Value(kind.name) for kind in DiffKind}


def decode_context(request: Any, *, preview: bool) -> CallContext:
    """What the request says beside its properties."""
    return CallContext(
        urn=request.urn,
        type=request.type,
        name=request.name,
        timeout_seconds=getattr(request, "timeout", 0.0),
        preview=preview,
        ignore_changes=tuple(getattr(request, "ignoreChanges", ())),
        random_seed=getattr(request, "randomSeed", b""),
    )


def encode_diff(result: DiffResult) -> provider_pb2.DiffResponse:
    """A diff."""
    response = provider_pb2.DiffResponse(
        changes=_CHANGES[result.changes],
        replaces=result.replaces,
        diffs=result.diffs,
        deleteBeforeReplace=result.delete_before_replace,
        hasDetailedDiff=result.detailed is not None,
    )
    for path, diff in (result.detailed or {}).items():
        response.detailedDiff[path].CopyFrom(provider_pb2.PropertyDiff(kind=_KINDS[diff.kind], inputDiff=True))
    return response


def encode_failures(failures: Iterable[CheckFailure]) -> list[provider_pb2.CheckFailure]:
    """Refused inputs."""
    return [provider_pb2.CheckFailure(property=failure.property, reason=failure.reason) for failure in failures]


def encode_error(error: Exception) -> status_pb2.Status:
    """What a provider raised. After UNKNOWN and INTERNAL the engine assumes nothing about the resource."""
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
