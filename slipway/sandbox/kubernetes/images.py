"""Container images made of one static binary, without a builder: an archive as `docker save` writes it, which containerd imports."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway.errors import OperationError

CTR_TIMEOUT_SECONDS = 120
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Go's names for the kernel's."""
NAMESPACE = "k8s.io"
"""Where the kubelet's containers and images live inside containerd."""


def write_scratch_image(
    archive: Path,
    name: str,
    files: Mapping[str, Path],
    *,
    entrypoint: Sequence[str],
    user: str = "",
) -> None:
    """An image FROM scratch: `files` maps paths inside to files outside, each made executable.

    The same files give the same image, byte for byte: no clock and no owner goes in.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for target, source in sorted(files.items()):
            entry = tarfile.TarInfo(target.lstrip("/"))
            entry.mode = 0o755
            entry.size = source.stat().st_size
            with source.open("rb") as handle:
                tar.addfile(entry, handle)
    layer_bytes = layer.getvalue()
    layer_digest = hashlib.sha256(layer_bytes).hexdigest()
    config: dict[str, Any] = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/"], "User": user},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created_by": "slipway sandbox"}],
    }
    config_bytes = json.dumps(config, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(config_bytes).hexdigest()}.json"
    layer_name = f"{layer_digest}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]
    with (
        tempfile.NamedTemporaryFile(dir=archive.parent, delete=False) as made,
        tarfile.open(fileobj=made, mode="w") as tar,
    ):
        for member, content in (
            (config_name, config_bytes),
            (layer_name, layer_bytes),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    Path(made.name).replace(archive)


def import_image(socket: Path, archive: Path) -> None:
    """Load an archive into the containerd behind `socket`."""
    _ctr(socket, "images", "import", "--no-unpack", str(archive))


def image_names(socket: Path) -> set[str]:
    """All names of images there."""
    return set(_ctr(socket, "images", "list", "--quiet").split())


def _ctr(socket: Path, *arguments: str) -> str:
    argv = ["ctr", "--address", str(socket), "--namespace", NAMESPACE, *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=CTR_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"`{' '.join(argv)}` took over {CTR_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        raise OperationError(f"`{' '.join(argv)}` failed: {done.stderr.strip()}")
    return done.stdout
