"""An image's records of what is installed, read from its layers."""

from __future__ import annotations

import tarfile
from pathlib import PurePosixPath

from slipway.delivery.adapters.registry import Repository
from slipway.delivery.attestations.bill_of_materials import is_record
from slipway.errors import OperationError

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
MOST_RECORD_BYTES = 32 << 20


def read_records(repository: Repository, digest: str) -> dict[str, bytes]:
    """The records of an image (of an index: its first) by path, as its top layer leaves them. OperationError when it cannot be read."""
    found = repository.manifest(digest)
    if found and found[0].manifests:
        images = [each for each in found[0].manifests if (each.platform or {}).get("os") != "unknown"]
        found = repository.manifest(images[0].digest) if images else None
    if found is None or found[0].layers is None:
        raise OperationError(f"the registry has no image {digest}")
    records: dict[str, bytes] = {}
    for layer in found[0].layers:
        with repository.open_blob(layer) as file:
            try:
                with tarfile.open(fileobj=file, mode="r:*") as archive:
                    _add_layer(records, archive)
            except (tarfile.TarError, EOFError, OSError) as error:
                raise OperationError(f"cannot read layer {layer.digest} ({layer.media_type}): {error}") from error
    return records


def _add_layer(records: dict[str, bytes], archive: tarfile.TarFile) -> None:
    """A layer removes from what is below it only; so its whiteouts come first, wherever they stand."""
    added: dict[str, bytes] = {}
    for member in archive:
        path = str(PurePosixPath(member.name.lstrip("/")))
        name = path.rpartition("/")[2]
        if name.startswith(WHITEOUT):
            folder = path.removesuffix(name)
            gone = folder if name == OPAQUE else folder + name.removeprefix(WHITEOUT)
            for known in [each for each in records if each == gone or each.startswith(f"{gone.rstrip('/')}/")]:
                del records[known]
        elif member.isfile() and is_record(path) and member.size <= MOST_RECORD_BYTES:
            content = archive.extractfile(member)
            added[path] = content.read() if content else b""
    records.update(added)
