"""Image layers: the bytes that registries and container runtimes check."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from slipway.sandbox.images.rootfs import write_layer


def test_layer_has_the_digests_of_its_file_and_of_the_tar_inside(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/motd").write_text("hello")
    (tree / "etc/link").symlink_to("motd")
    layer = write_layer(tree, tmp_path / "layer.tar.gz", "1.0")
    packed = Path(layer.path).read_bytes()
    plain = gzip.decompress(packed)
    assert layer.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert layer.size_bytes == len(packed)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert archive.getnames() == ["etc", "etc/link", "etc/motd"]
        assert archive.getmember("etc/link").linkname == "motd"


@pytest.mark.skipif(os.geteuid() != 0, reason="device nodes need root")
def test_layer_deletes_what_the_overlay_deleted(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "usr").mkdir(parents=True)
    os.mknod(tree / "usr/gone", 0o600 | 0o020000, os.makedev(0, 0))
    layer = write_layer(tree, tmp_path / "layer.tar.gz", "1.0")
    with tarfile.open(layer.path) as archive:
        assert archive.getnames() == ["usr", "usr/.wh.gone"]
        assert archive.getmember("usr/.wh.gone").isreg()
