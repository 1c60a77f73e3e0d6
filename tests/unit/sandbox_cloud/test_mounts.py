"""What is mounted below a folder is taken away, the folder's own mount is not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from slipway.sandbox.mounts import unmount_below


def test_unmounts_what_is_below_and_the_last_first(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = ["/", "/s", "/s/data", "/s/data/deep", "/s-else"]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [SimpleNamespace(mountpoint=each) for each in mounts])
    unmounted: list[str] = []
    monkeypatch.setattr(subprocess, "run", lambda argv, **_: unmounted.append(str(argv[-1])))  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    unmount_below(Path("/s"))
    assert unmounted == ["/s/data/deep", "/s/data"]
