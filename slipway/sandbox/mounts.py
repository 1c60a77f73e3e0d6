"""What is mounted below a folder, taken away."""

from __future__ import annotations

from pathlib import Path

import psutil

from slipway.sandbox.administration import run


def unmount_below(folder: Path) -> None:
    """Unmount all below `folder`, also what is in use; the last mounted first, as mounts are stacked. Needs root.

    The folder itself stays mounted: it may be a disk of its own.
    """
    mounts = [Path(each.mountpoint) for each in psutil.disk_partitions(all=True)]
    for mount in reversed([each for each in mounts if folder in each.parents]):
        run("umount", "--lazy", str(mount), check=False)
