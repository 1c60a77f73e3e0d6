"""File trees: Debian by debootstrap, packages on top through an overlay, each written as one image layer."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tarfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

from slipway.errors import OperationError

HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_TIMEOUT_SECONDS = 900
UNPACKED_PREFIX = "unpacked-"
OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private")
"""A mount namespace of its own: however the command ends, no mount is left behind."""
DROPPED = (
    "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/linda",
    "var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf", "var/cache/ldconfig",
)  # fmt: skip
"""What slim images leave out; the folders themselves stay."""
SETUP = """\
set -e
mount -t overlay overlay -o lowerdir={lower},upperdir={upper},workdir={work} {merged}
mount -t proc proc {merged}/proc
mount --rbind /dev {merged}/dev
cp /etc/resolv.conf {merged}/etc/resolv.conf
printf '#!/bin/sh\\nexit 101\\n' > {merged}/usr/sbin/policy-rc.d
chmod 755 {merged}/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
chroot {merged} apt-get -qq update
chroot {merged} apt-get -qq install -y --no-install-recommends {packages}
chroot {merged} sh -eu /slipway-setup.sh
chroot {merged} dpkg-query -W -f '${{Version}}' {version_of} > {version}
rm -f {merged}/slipway-setup.sh {merged}/usr/sbin/policy-rc.d {merged}/etc/resolv.conf
"""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of an image, as a compressed tar in the cache."""

    path: str
    digest: str
    """Of the compressed file: its name in a registry."""
    diff_id: str
    """Of the tar inside: its name in the image's configuration."""
    size_bytes: int
    version: str
    """Of the package that the recipe names."""

    def facts(self) -> dict[str, object]:
        """For the record beside the file."""
        return asdict(self)


def bootstrap_debian(suite: str, target: Path, log: BinaryIO) -> str:
    """Install a minimal Debian into `target` from the mirror this machine uses; its version. Raises OperationError."""
    mirror = _debian_mirror(suite)
    argv = [
        *OWN_MOUNTS,
        "debootstrap",
        "--variant=minbase",
        "--include=ca-certificates,netbase,tzdata",
        suite,
        str(target),
        mirror,
    ]
    _run(argv, log, f"making Debian {suite}")
    shutil.copyfile(HOST_CERTIFICATES, target / "etc/ssl/certs/ca-certificates.crt")
    _write_sources(suite, mirror, target)
    _drop_ballast(target)
    return (target / "etc/debian_version").read_text().strip()


def install_packages(
    lower: Path, scratch: Path, *, packages: Sequence[str], script: str, version_of: str, log: BinaryIO
) -> str:
    """Install packages over `lower` and run a script there; what changed is in `scratch`/upper. The version of `version_of`."""
    folders = {name: scratch / name for name in ("upper", "work", "merged")}
    for folder in folders.values():
        folder.mkdir()
    (folders["upper"] / "slipway-setup.sh").write_text(script)
    version = scratch / "version"
    setup = SETUP.format(lower=lower, version=version, packages=" ".join(packages), version_of=version_of, **folders)
    _run([*OWN_MOUNTS, "sh", "-c", setup], log, f"installing {' '.join(packages)}")
    _drop_ballast(folders["upper"])
    return version.read_text().strip()


@contextmanager
def unpacked(layers: Sequence[Layer], folder: Path) -> Generator[Path]:
    """The layers laid over each other in a temporary folder."""
    with TemporaryDirectory(dir=folder, prefix=UNPACKED_PREFIX) as target:
        for layer in layers:
            subprocess.run(
                ["tar", "-xzpf", layer.path, "--numeric-owner", "-C", target], check=True, timeout=BUILD_TIMEOUT_SECONDS
            )
        yield Path(target)


def write_layer(tree: Path, target: Path, version: str) -> Layer:
    """Write a file tree as a layer; what an overlay deleted becomes the `.wh.` files that images use."""
    temporary = target.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        writer = _LayerWriter(stream)
        with tarfile.open(fileobj=cast(BinaryIO, writer), mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(tree.rglob("*")):
                _add(archive, path, path.relative_to(tree))
        writer.finish()
    temporary.replace(target)
    return Layer(
        path=str(target),
        digest=f"sha256:{writer.compressed.hexdigest()}",
        diff_id=f"sha256:{writer.plain.hexdigest()}",
        size_bytes=target.stat().st_size,
        version=version,
    )


class _LayerWriter:
    """Compresses and hashes, plain and compressed, in one pass."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        # Level 1: the layers travel over loopback, where seconds of CPU cost more than bytes.
        self._gzip = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        self.plain = hashlib.sha256()
        self.compressed = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.plain.update(content)
        self._put(self._gzip.compress(content))
        return len(content)

    def finish(self) -> None:
        self._put(self._gzip.flush())

    def _put(self, content: bytes) -> None:
        self.compressed.update(content)
        self._stream.write(content)


def _add(archive: tarfile.TarFile, path: Path, name: Path) -> None:
    facts = path.lstat()
    if stat.S_ISSOCK(facts.st_mode):
        return
    if stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0:
        archive.addfile(tarfile.TarInfo(str(name.parent / f".wh.{name.name}")))
        return
    entry = archive.gettarinfo(str(path), arcname=str(name))
    entry.uname = entry.gname = ""
    if entry.isreg():
        with path.open("rb") as content:
            archive.addfile(entry, content)
    else:
        archive.addfile(entry)


def _drop_ballast(tree: Path) -> None:
    for folder in DROPPED:
        for path in (tree / folder).glob("*") if (tree / folder).is_dir() else ():
            if path.is_dir() and not path.is_symlink() and folder == "var/log":
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _debian_mirror(suite: str) -> str:
    """The mirror in this machine's own apt settings: what apt can reach, debootstrap can."""
    argv = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    for line in lines:
        site, _, release = line.partition(" ")
        if release == suite:
            return site
    raise OperationError(
        f"apt on this machine knows no mirror of Debian {suite}",
        where="/etc/apt/sources.list",
        remedy=f"add one (`deb <mirror> {suite} main`) and run `apt-get update`",
    )


def _apt_proxy() -> dict[str, str]:
    """The proxy that this machine's apt goes through, for debootstrap and for apt inside the image."""
    argv = ["apt-config", "shell", "proxy", "Acquire::http::Proxy"]
    found = re.search(r"'(.+)'", subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60).stdout)
    return {"http_proxy": found[1]} if found else {}


def _write_sources(suite: str, mirror: str, target: Path) -> None:
    (target / "etc/apt/sources.list").write_text(f"deb {mirror} {suite} main\n")


def _run(argv: Sequence[str], log: BinaryIO, what: str) -> None:
    try:
        environment = {**os.environ, "LC_ALL": "C"} | _apt_proxy()
        subprocess.run(argv, check=True, stdout=log, stderr=log, timeout=BUILD_TIMEOUT_SECONDS, env=environment)
    except subprocess.CalledProcessError as error:
        raise OperationError(f"{what} failed with exit code {error.returncode}", where=log.name) from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"{what} took longer than {BUILD_TIMEOUT_SECONDS} s", where=log.name) from error
