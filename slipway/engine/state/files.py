"""Reading and replacing files of the backend."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import zstandard

from slipway.errors import MachineError

STACK_SUFFIXES = (".json", ".json.gz", ".json.zst")


def is_set(environ: Mapping[str, str], *variables: str) -> bool:
    """Whether one of the variables (a name and its older alternatives) is true in Pulumi's sense: `1` or `true`."""
    return any(environ.get(variable, "").lower() in {"1", "true"} for variable in variables)


def compression_suffix(environ: Mapping[str, str]) -> str:
    """ "" or `.gz` or `.zst`, as PULUMI_DIY_BACKEND_GZIP and PULUMI_DIY_BACKEND_ZSTD say (legacy: PULUMI_SELF_MANAGED_…)."""
    for variable, suffix in (("ZSTD", ".zst"), ("GZIP", ".gz")):
        if is_set(environ, f"PULUMI_DIY_BACKEND_{variable}", f"PULUMI_SELF_MANAGED_STATE_{variable}"):
            return suffix
    return ""


def compress(data: bytes, suffix: str) -> bytes:
    """`data` as a file of that suffix holds it."""
    if suffix.endswith(".gz"):
        return gzip.compress(data, compresslevel=6)
    if suffix.endswith(".zst"):
        return zstandard.ZstdCompressor().compress(data)
    return data


def read_bytes(path: Path) -> bytes | None:
    """The content; None: no such file. Raises MachineError when it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MachineError(
            f"cannot be read: {error.strerror}", where=str(path), remedy="check the file's owner and mode"
        ) from error


def remove_file(path: Path) -> None:
    """Delete a file, if it is there, and the `.attrs` that the Pulumi CLI's storage library keeps beside each of its files."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.attrs").unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` in the file's place: a reader sees the old content or the new, never a part. Raises MachineError.

    Not synced to disk, as Pulumi's backend does not either: it survives the process, not a power cut.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".slipway-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MachineError(
            f"cannot be written: {error.strerror}", where=str(path), remedy="free disk space or mend the folder's mode"
        ) from error
