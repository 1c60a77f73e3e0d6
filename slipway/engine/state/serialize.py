"""The checkpoint file of a stack: versions 3 and 4, exactly as Pulumi writes them.

`{"version":3,"checkpoint":{"stack":"organization/<project>/<stack>","latest":<deployment>}}`, compact, no HTML escapes. Version 4 and
`features` when a record needs them. What this engine does not understand is kept (unknown keys) or refused (unknown features, newer
versions), never dropped. Source: `pkg/resource/stack/{checkpoint,deployment}.go` and `sdk/go/common/apitype/core.go` of pulumi/pulumi.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import zstandard

from slipway.engine.secrets import DecryptionError, SecretsManager, StackSecrets
from slipway.engine.state.model import PendingOperation, ResourceState, Snapshot
from slipway.engine.state.properties import PropertyError, Vault, dump
from slipway.engine.state.records import (
    decode_operation,
    decode_record,
    encode_operation,
    encode_record,
    format_time,
    parse_time,
    record_features,
)
from slipway.errors import UsageError

CURRENT_VERSION = 3
LATEST_VERSION = 4
SUPPORTED_FEATURES = frozenset({"refreshBeforeUpdate", "hooks", "taint", "replaceWith", "byteString"})
"""Not `views`, `snippets-prototype`, `extensionParameterization`: this engine would not keep such resources as they must be kept."""

ENGINE_VERSION = "slipway-0.1.0"
"""Written into the manifest; `pulumi stack` shows it."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_DEPLOYMENT_KEYS = frozenset({"manifest", "secrets_providers", "resources", "pending_operations", "metadata"})


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint file read: the raw records beside the snapshot, so that untouched ones can be written as they were."""

    snapshot: Snapshot | None
    """None: a stack that was never deployed."""
    secrets_provider: tuple[str, Mapping[str, Any]] | None = None
    vault: Vault | None = None
    """What the records were read with: it knows their ciphertexts."""
    raw_records: tuple[dict[str, Any], ...] = ()
    """JSON data of `snapshot.resources`, one by one."""
    has_plaintext: bool = False
    """Whether a record holds a secret in plain text, as `pulumi stack export --show-secrets` writes it."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keys of the checkpoint that this engine does not understand."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a checkpoint says beside its records."""

    stack: str
    """`organization/<project>/<stack>`."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    deployment_extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    checkpoint_extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Sections:
    """The lists of a deployment, each item as the bytes that stand in the file."""

    records: Sequence[bytes] = ()
    pending: Sequence[bytes] = ()


def decompress(data: bytes) -> bytes:
    """The file's content, whatever its name says: gzip and zstd are told by their first bytes. Raises PropertyError."""
    try:
        if data.startswith(_GZIP_MAGIC):
            return gzip.decompress(data)
        if data.startswith(_ZSTD_MAGIC):
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise PropertyError(f"damaged compression: {error}") from error
    return data


Amend = Callable[[dict[str, Any]], None]
"""Changes a deployment's JSON data in place before it is read: how a journal is replayed."""


def read_checkpoint(data: bytes, where: str, secrets: StackSecrets, amend: Amend | None = None) -> Checkpoint:
    """Read a checkpoint file. `where`: its path, for errors. Raises UsageError when it cannot be used."""
    try:
        document = _object(json.loads(decompress(data)), "the file")
        version = document.get("version", 0)
        checkpoint = _object(document.get("checkpoint") or {}, "checkpoint")
        extra = _unknown_keys(checkpoint, {"stack", "latest"})
        latest = checkpoint.get("latest")
        if latest is None and version in {0, CURRENT_VERSION, LATEST_VERSION}:
            if amend is None:
                return Checkpoint(snapshot=None, extra=extra)
            version, latest = CURRENT_VERSION, {}
        refuse_version(version, document.get("features") or (), where)
        deployment = _object(latest, "latest")
        if amend is not None:
            amend(deployment)
        return _read_deployment(deployment, secrets, where, extra)
    except (ValueError, AttributeError, TypeError) as error:
        raise _unreadable(error, where) from error


def read_summary(data: bytes, where: str) -> tuple[datetime | None, int | None]:
    """When a checkpoint was written and how many resources it has; None, None: never deployed. Raises UsageError."""
    try:
        latest = _object(_object(json.loads(decompress(data)), "the file").get("checkpoint") or {}, "checkpoint").get(
            "latest"
        )
        if latest is None:
            return None, None
        deployment = _object(latest, "latest")
        time = _object(deployment.get("manifest") or {}, "manifest").get("time")
        return (None if time is None else parse_time(time)), len(deployment.get("resources") or ())
    except (ValueError, TypeError) as error:
        raise _unreadable(error, where) from error


def _unreadable(error: Exception, where: str) -> UsageError:
    return UsageError(
        f"the state cannot be read: {error}",
        where=where,
        remedy="restore it from the .bak file beside it or from .pulumi/backups",
    )


def read_deployment(document: Mapping[str, Any], where: str, secrets: StackSecrets) -> Checkpoint:
    """Read what `pulumi stack export` writes: {"version", "features"?, "deployment"}. Raises UsageError."""
    refuse_version(document.get("version", 0), document.get("features") or (), where)
    try:
        return _read_deployment(_object(document.get("deployment") or {}, "deployment"), secrets, where, {})
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"the deployment cannot be read: {error}", where=where, remedy="export it again, or repair it by hand"
        ) from error


def refuse_version(version: Any, features: Iterable[str], where: str) -> None:
    """Raise UsageError for a version or a feature this engine does not know."""
    if not isinstance(version, int) or version > LATEST_VERSION:
        raise UsageError(
            f"the state has version {version}; this engine reads versions 3 and 4",
            where=where,
            remedy="use a newer slipway, or the Pulumi CLI",
        )
    if version < CURRENT_VERSION:
        raise UsageError(
            f"the state has version {version}, which is too old",
            where=where,
            remedy="run `pulumi stack export | pulumi stack import` once with the Pulumi CLI",
        )
    unknown = sorted(set(features) - SUPPORTED_FEATURES) if version >= LATEST_VERSION else []
    if unknown:
        raise UsageError(
            f"the state needs features this engine does not have: {', '.join(unknown)}",
            where=where,
            remedy="use the Pulumi CLI for this stack",
        )


def _read_deployment(
    deployment: dict[str, Any], secrets: StackSecrets, where: str, checkpoint_extra: Mapping[str, Any]
) -> Checkpoint:
    provider = _secrets_provider(deployment)
    if provider is not None:
        secrets.use_state(*provider)
    vault = state_vault(secrets, provider)
    raw_records = tuple(_object(item, "a resource") for item in deployment.get("resources") or ())
    for record in raw_records:
        record.pop("aliases", None)  # Pulumi normalizes them away on each save; only very old files still have them
    manifest = _object(deployment.get("manifest") or {}, "manifest")
    _check_magic(manifest)
    try:
        snapshot = Snapshot(
            resources=tuple(decode_record(record, vault) for record in raw_records),
            pending_operations=tuple(
                decode_operation(item, vault) for item in deployment.get("pending_operations") or ()
            ),
            manifest_time=parse_time(manifest["time"]) if "time" in manifest else None,
            metadata=deployment.get("metadata") or {},
            extra=_unknown_keys(deployment, _DEPLOYMENT_KEYS),
        )
    except DecryptionError as error:
        raise UsageError(
            str(error), where=where, remedy="set the passphrase the stack was last updated with"
        ) from error
    return Checkpoint(
        snapshot=snapshot,
        secrets_provider=provider,
        vault=vault,
        raw_records=raw_records,
        has_plaintext=vault.saw_plaintext,
        extra=checkpoint_extra,
    )


def state_vault(secrets: StackSecrets, provider: tuple[str, Mapping[str, Any]] | None) -> Vault:
    """A vault that reads with what the state names and writes with the stack's own manager."""

    def decrypter() -> SecretsManager:
        return secrets.manager() if provider is None else secrets.manager_for(*provider)

    return Vault(secrets.manager, decrypter)


def _secrets_provider(deployment: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    data = _object(deployment.get("secrets_providers") or {}, "secrets_providers")
    return (str(data["type"]), _object(data.get("state") or {}, "state")) if data.get("type") else None


def _check_magic(manifest: Mapping[str, Any]) -> None:
    version = str(manifest.get("version", ""))
    if manifest.get("magic", "") != _magic(version):
        raise PropertyError("magic cookie mismatch: possible tampering/corruption detected")


def _magic(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest() if version else ""


def _object(data: Any, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise PropertyError(f"{what} is no JSON object")
    return cast(dict[str, Any], data)


def _unknown_keys(data: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in set(known)}


# --- writing ----------------------------------------------------------------------------------------------------------


def render_checkpoint(
    head: Head,
    sections: Sections,
    features: Iterable[str],
    provider: tuple[str, Mapping[str, Any]] | None,
    now: datetime | None = None,
) -> bytes:
    """The file, of records and operations that are JSON already."""
    names = sorted(features)
    version = f'{{"version":{LATEST_VERSION},"features":{dump(names)},' if names else f'{{"version":{CURRENT_VERSION},'
    # `config` is the only other key Pulumi knows there, and stands before `latest`.
    extra = "".join(f"{dump(key)}:{dump(value)}," for key, value in head.checkpoint_extra.items())
    start = f'{version}"checkpoint":{{"stack":{dump(head.stack)},{extra}"latest":'
    return start.encode() + render_deployment(head, sections, provider, now) + b"}}"


def render_deployment(
    head: Head, sections: Sections, provider: tuple[str, Mapping[str, Any]] | None, now: datetime | None = None
) -> bytes:
    """The deployment alone."""
    manifest = {
        "time": format_time(now or datetime.now(UTC)),
        "magic": _magic(ENGINE_VERSION),
        "version": ENGINE_VERSION,
    }
    parts = [_member("manifest", manifest)]
    if provider is not None:
        kind, state = provider
        parts.append(_member("secrets_providers", {"type": kind} | ({"state": dict(state)} if state else {})))
    if sections.records:
        parts.append(b'"resources":[' + b",".join(sections.records) + b"]")
    if sections.pending:
        parts.append(b'"pending_operations":[' + b",".join(sections.pending) + b"]")
    parts.append(_member("metadata", dict(head.metadata)))
    parts += [_member(key, value) for key, value in head.deployment_extra.items()]
    return b"{" + b",".join(parts) + b"}"


def _member(key: str, value: object) -> bytes:
    return f"{dump(key)}:{dump(value)}".encode()


def render_empty(stack: str) -> bytes:
    """The file of a stack that was never deployed, as `pulumi stack init` writes it."""
    return f'{{"version":0,"checkpoint":{{"stack":{dump(stack)}}}}}'.encode()


def record_bytes(state: ResourceState, vault: Vault) -> bytes:
    """One record as the bytes that stand in the file."""
    return dump(encode_record(state, vault)).encode()


def operation_bytes(operation: PendingOperation, vault: Vault) -> bytes:
    """One pending operation as the bytes that stand in the file."""
    return dump(encode_operation(operation, vault)).encode()


def snapshot_features(snapshot: Snapshot) -> set[str]:
    """The features a file of this snapshot needs to name."""
    features: set[str] = set()
    for state in snapshot.resources:
        features |= record_features(state)
    for operation in snapshot.pending_operations:
        features |= record_features(operation.resource) & {"byteString"}
    return features
