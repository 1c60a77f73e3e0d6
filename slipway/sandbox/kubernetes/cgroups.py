"""The control group under which a node keeps all its pods; it also tells, surely, which processes are the node's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from slipway.sandbox.kubernetes.supervise import kill

ROOT = Path("/sys/fs/cgroup")
REMOVE_TIMEOUT_SECONDS = 10
UNIFIED = "unified"
"""The version 2 tree without controllers that hybrid machines carry beside version 1; runc puts pods into it by itself."""
V2_CONTROLLERS = "+cpu +cpuset +memory +pids"


def ensure_cgroup(name: str) -> None:
    """Make the group in every hierarchy."""
    for folder in _folders(name):
        if folder.parent == ROOT / UNIFIED:
            continue
        folder.mkdir(exist_ok=True)
        if (folder.parent / "cgroup.subtree_control").exists():
            for controlled in (folder.parent, folder):
                (controlled / "cgroup.subtree_control").write_text(V2_CONTROLLERS)
        elif (folder / "cpuset.cpus").exists():
            # Version 1 starts a cpuset empty, and an empty one accepts no process.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                (folder / setting).write_text((folder.parent / setting).read_text())


def kill_members(name: str) -> None:
    """Kill every process in the group and below, until none is left."""
    deadline = time.monotonic() + REMOVE_TIMEOUT_SECONDS
    while (members := list(_members(name))) and time.monotonic() < deadline:
        kill(members)


def remove_cgroup(name: str) -> None:
    """Remove the group and all below it, in every hierarchy; it must be empty of processes."""
    for folder in _folders(name):
        for below in sorted(folder.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
            _remove(below)
        _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + REMOVE_TIMEOUT_SECONDS
    while True:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            # Busy for a moment while the kernel buries the last process.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _folders(name: str) -> list[Path]:
    relative = name.lstrip("/")
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT / relative]
    hierarchies = [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
    return [path / relative for path in hierarchies]


def _members(name: str) -> Iterator[psutil.Process]:
    seen: set[int] = set()
    for folder in _folders(name):
        for listing in folder.rglob("cgroup.procs"):
            try:
                pids = {int(line) for line in listing.read_text().split()}
            except (FileNotFoundError, OSError):
                continue
            for pid in pids - seen:
                seen.add(pid)
                try:
                    process = psutil.Process(pid)
                    if process.status() != psutil.STATUS_ZOMBIE:
                        yield process
                except psutil.NoSuchProcess:
                    continue
