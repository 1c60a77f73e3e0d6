"""Who is at the other end of a connection: the `pulumi` command's folder and environment.

A provider that an engine attaches to is told neither, and runs with the daemon's own. The kernel knows both: the process that holds the
other end of the connection has a working directory and an environment. Linux only, as the sandbox is.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil

from slipway.documents import read_yaml
from slipway.errors import UsageError
from slipway.providers.provider import Caller, ProviderError
from slipway.providers.server import Peer
from slipway.sandbox.peers import Connection, find_client
from slipway.sandbox.ports import LOOPBACK

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")


def established(peer: Peer) -> Connection | None:
    """The client's end of the connection; None when it is closed, or from another address than 127.0.0.1."""
    return find_client((LOOPBACK, peer.client_port), (LOOPBACK, peer.server_port))


def find_process(connection: Connection | None) -> psutil.Process:
    """The process at the other end. Raises ProviderError when there is none, or it is another user's.

    Another user must not read files and build images with the daemon's rights.
    """
    if connection is None:
        raise ProviderError(
            "the sandbox's providers serve programs of this machine only, and this connection is from elsewhere or closed"
        )
    if connection.user != os.getuid():
        raise ProviderError(
            f"the sandbox's providers serve the user who runs the sandbox (id {os.getuid()}), not the user {connection.user}"
        )
    wanted = f"socket:[{connection.inode}]"
    for pid in sorted((int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()), reverse=True):
        if wanted in open_files(pid):
            with contextlib.suppress(psutil.NoSuchProcess):  # a child that was not begun: its parent comes next
                return _owner(psutil.Process(pid), wanted)
    raise ProviderError("cannot tell which process has the connection")


def _owner(process: psutil.Process, socket: str) -> psutil.Process:
    """The eldest of the line that holds the socket: a child holds all that its parent does until its own program begins."""
    while (parent := process.parent()) is not None and socket in open_files(parent.pid):
        process = parent
    return process


def open_files(pid: int) -> set[str]:
    """What the process has open, as the kernel names it; empty where it has ended, or is another user's."""
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return {_target(entry.path) for entry in entries}
    except OSError:
        return set()


def _target(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - a socket is no path
    except OSError:
        return ""


def caller_of(process: psutil.Process) -> Caller:
    """The folder that the process's program runs in, and the process's environment."""
    try:
        # psutil answers "" for a process that is ending, and "" would be the daemon's own folder.
        folder = Path(f"/proc/{process.pid}/cwd").readlink()
        return Caller(folder=program_folder(folder), environ=process.environ())
    except (OSError, psutil.Error, UsageError) as error:
        raise ProviderError(f"cannot read the working directory of the command that connects: {error}") from error


def program_folder(folder: Path) -> Path:
    """Where relative paths of the program start: the project's folder, or its `main` in it; `folder` itself without a project."""
    for place in (folder, *folder.parents):
        for name in PROJECT_FILES:
            if (place / name).is_file():
                return _main(place, place / name)
    return folder


def _main(root: Path, project: Path) -> Path:
    main = root / str(read_yaml(project).get("main") or ".")
    return main.resolve() if main.is_dir() else main.parent.resolve()
