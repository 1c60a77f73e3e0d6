"""Hashes of assets and archives: what tells whether a file or folder that a program names has changed.

The hash is Pulumi's own, so that a stack moves between this engine and the CLI without a difference: sha256 of an asset's bytes, of an
archive file's bytes, or of a folder's files as an uncompressed tar with neither times nor owners. Source: `sdk/go/common/resource/archive`.
A path of more than 100 letters may give another hash than Pulumi's.
"""

from __future__ import annotations

# Values are `Any` by design (see `Value`), and narrowing `Any` with isinstance leaves the types of its parts unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from slipway.engine.values import Archive, Asset, Secret, Value
from slipway.errors import UsageError

ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")
BOOKKEEPING_FOLDER = ".pulumi"
_TAR_END = b"\0" * (2 * tarfile.BLOCKSIZE)
_FILE_MODE = 0o600
_CHECKSUM = slice(148, 156)  # fields of a USTAR header
_DEVICE = slice(329, 345)


def with_hashes(value: Value, directory: Path) -> Value:
    """`value` with the hash of every asset and archive in it; `directory`: where relative paths start. Raises UsageError."""
    if isinstance(value, Asset):
        return _hashed_asset(value, directory)
    if isinstance(value, Archive):
        return _hashed_archive(value, directory)
    if isinstance(value, Secret):
        return Secret(with_hashes(value.value, directory))
    if isinstance(value, list):
        return [with_hashes(item, directory) for item in value]
    if isinstance(value, dict):
        return {key: with_hashes(item, directory) for key, item in value.items()}
    return value


def _hashed_asset(asset: Asset, directory: Path) -> Asset:
    if asset.hash or asset.uri:  # what stands behind a URI is the provider's to fetch
        return asset
    content = _asset_content(asset, directory)
    return Asset(text=asset.text, path=asset.path, hash=hashlib.sha256(content).hexdigest())


def _hashed_archive(archive: Archive, directory: Path) -> Archive:
    if archive.hash or archive.uri:
        return archive
    assets = archive.assets
    if assets is not None:
        assets = {key: with_hashes(item, directory) for key, item in assets.items()}
    path = directory / archive.path if archive.path else None
    if path is not None and path.name.endswith(ARCHIVE_SUFFIXES):
        digest = hashlib.sha256(_read_bytes(path))
    else:
        digest = hashlib.sha256()
        seen: set[str] = set()
        for name, content in _entries(archive, directory):
            if name not in seen:
                seen.add(name)
                digest.update(_tar_entry(name, content))
        digest.update(_TAR_END)
    return Archive(assets=assets, path=archive.path, hash=digest.hexdigest())


def _entries(archive: Archive, directory: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file, in the order of names."""
    if archive.assets is not None:
        for key in sorted(archive.assets):
            item = archive.assets[key]
            if isinstance(item, Asset):
                yield key, _asset_content(item, directory)
            else:
                yield from ((f"{key}/{name}", content) for name, content in _entries(item, directory))
        return
    root = directory / (archive.path or "")
    if root.is_dir():
        for name in _walk(root, ""):
            yield name, _read_bytes(root / name)
    elif tarfile.is_tarfile(root):
        with tarfile.open(root) as file:
            for member in file:
                content = file.extractfile(member)
                if content is not None:
                    yield member.name, content.read()
    else:
        raise UsageError(f"{root} is neither a folder nor an archive of a known kind: {', '.join(ARCHIVE_SUFFIXES)}")


def _walk(root: Path, below: str) -> Iterator[str]:
    """Relative names of the files, folder by folder in the order of names; links to folders are left out."""
    try:
        entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot read the folder {root / below}: {error.strerror}") from error
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name == BOOKKEEPING_FOLDER or (entry.is_symlink() and entry.is_dir()):
            continue
        if entry.is_dir():
            yield from _walk(root, name)
        else:
            yield name


def _tar_entry(name: str, content: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = _FILE_MODE
    padding = b"\0" * (-len(content) % tarfile.BLOCKSIZE)
    try:
        header = _with_device_numbers(info.tobuf(tarfile.USTAR_FORMAT, errors="strict"))
    except ValueError:
        header = info.tobuf(tarfile.PAX_FORMAT)
    return header + content + padding


def _with_device_numbers(header: bytes) -> bytes:
    """The header with zeros for the device numbers, as Go writes them; Python leaves them empty."""
    numbers = header[: _DEVICE.start] + b"0000000\0" * 2 + header[_DEVICE.stop :]
    blank = numbers[: _CHECKSUM.start] + b" " * 8 + numbers[_CHECKSUM.stop :]
    return numbers[: _CHECKSUM.start] + b"%06o\0 " % sum(blank) + numbers[_CHECKSUM.stop :]


def _asset_content(asset: Asset, directory: Path) -> bytes:
    if asset.uri:
        raise UsageError(
            f"an archive with an asset from a URI cannot be hashed: {asset.uri}", remedy="use a local file"
        )
    return asset.text.encode() if asset.text is not None else _read_bytes(directory / (asset.path or ""))


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", remedy="name a file that exists") from error
