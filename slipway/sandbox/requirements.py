"""What the machine must have before anything is started: one clear error for each thing that is missing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

from slipway.errors import MachineError
from slipway.sandbox.apt import install_packages, missing_packages
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import LISTENERS
from slipway.sandbox.processes import ProcessTable

NEEDED_FREE_GIB = 8
"""Kubernetes' sources and build cache take 3 GiB, images and clusters 3 more."""
PORT_RELEASE_SECONDS = 5
CLAIM = Path("/run/slipway-sandbox.json")
"""Names the one sandbox of this machine: addresses, ports and network namespaces exist once."""
PORTS = {
    port: each.process
    for each in LISTENERS
    if isinstance(each.ports, tuple) and "*" not in each.process
    for port in each.ports
}
"""Each port and the process of ours that may hold it."""


def check_machine(paths: SandboxPaths) -> None:
    """Raise MachineError for the first thing that is wrong."""
    check_platform()
    check_root()
    refuse_second_sandbox(paths)
    check_disk(paths)
    check_ports(ProcessTable(paths))


def ensure_packages(progress: Callable[[str], None]) -> None:
    """Install missing Debian packages; raise MachineError when that fails."""
    missing = missing_packages()
    if missing:
        install_packages(missing, progress)
        still = missing_packages()
        if still:
            raise MachineError(f"the programs of {', '.join(still)} are not there after installing them")


def check_platform() -> None:
    """Linux on x86-64 only: the programs are built for it."""
    found = f"{platform.system()} on {platform.machine()}"
    if found != "Linux on x86_64":
        raise MachineError(
            f"the sandbox runs on Linux on x86_64, and this is {found}",
            remedy="use such a machine (a virtual one will do), or point Pulumi at a real AWS account",
        )


def check_root() -> None:
    """Network namespaces, mounts and cgroups need root."""
    if os.geteuid() != 0:
        raise MachineError("the sandbox needs root", remedy="run the command as root, for example with `sudo -E`")


def check_disk(paths: SandboxPaths) -> None:
    """At least 8 GiB free under SLIPWAY_HOME, unless the sandbox is there already."""
    folder = next(path for path in (paths.home, *paths.home.parents) if path.exists())
    try:
        paths.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"the folder cannot be made: {error.strerror}", where=str(paths.home), remedy="set SLIPWAY_HOME to another"
        ) from error
    free_gib = shutil.disk_usage(folder).free / (1 << 30)
    needed = 1 if any(paths.run.glob("*.json")) else NEEDED_FREE_GIB
    if free_gib < needed:
        raise MachineError(
            f"{free_gib:.1f} GiB are free and the sandbox needs {needed}",
            where=str(paths.home),
            remedy="free some space, or set SLIPWAY_HOME to a folder on a larger disk",
        )


def check_ports(processes: ProcessTable) -> None:
    """The fixed ports are free, or held by this sandbox."""
    for port, name in PORTS.items():
        record = processes.find(name)
        if record is not None and record.process() is not None:
            continue
        if not _is_free(port, PORT_RELEASE_SECONDS if record else 0):
            raise MachineError(
                f"port {port} is in use by another program",
                remedy=f"stop it (`ss -ltnp 'sport = :{port}'` names it) and start again",
            )


def _is_free(port: int, patience_seconds: float) -> bool:
    """A process of ours that was killed leaves its ports to its children until they have seen it."""
    deadline = time.monotonic() + patience_seconds
    while _listens(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True


def refuse_second_sandbox(paths: SandboxPaths) -> None:
    """Raise MachineError while the processes of another SLIPWAY_HOME's sandbox live."""
    other = _claimed_by()
    if other is not None and other != paths.home and _lives(SandboxPaths(other)):
        raise MachineError(
            f"another sandbox runs on this machine, in {other}",
            remedy=f"use it (SLIPWAY_HOME={other}), or stop it: SLIPWAY_HOME={other} slipway sandbox down",
        )


def dead_owner(paths: SandboxPaths) -> Path | None:
    """The home of another sandbox that was killed on this machine; raise MachineError while it lives."""
    refuse_second_sandbox(paths)
    other = _claimed_by()
    return other if other != paths.home else None


def claim_machine(paths: SandboxPaths) -> None:
    """Make this the machine's sandbox; raise MachineError while there is another."""
    refuse_second_sandbox(paths)
    temporary = CLAIM.with_suffix(".tmp")
    temporary.write_text(json.dumps({"home": str(paths.home)}))
    temporary.replace(CLAIM)


def release_machine(paths: SandboxPaths) -> None:
    """Give the machine up, if it is this sandbox's."""
    if _claimed_by() == paths.home:
        CLAIM.unlink(missing_ok=True)


def _claimed_by() -> Path | None:
    try:
        return Path(json.loads(CLAIM.read_text())["home"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _lives(paths: SandboxPaths) -> bool:
    return any(record.process() is not None for record in ProcessTable(paths).records())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
