"""Down and reset: every process ended; and with reset, everything that the sandbox made removed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable

from slipway.errors import MachineError, OperationError, SlipwayError
from slipway.sandbox.accounts import remove_account, unreachable
from slipway.sandbox.docker import DockerEngine
from slipway.sandbox.host_address import remove_host_address
from slipway.sandbox.hosts_file import HostsFile
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.kubernetes.control_plane import ACCOUNT
from slipway.sandbox.kubernetes.sweep import sweep
from slipway.sandbox.mounts import unmount_below
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.postgres import PostgresInstances
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.requirements import check_root, refuse_second_sandbox, release_machine
from slipway.sandbox.running import DAEMON
from slipway.sandbox.traffic.render import Files

Progress = Callable[[str], None]


def down(paths: SandboxPaths, progress: Progress) -> None:
    """Stop every process; state, images and databases stay for the next `up`. MachineError while another sandbox runs."""
    check_root()
    refuse_second_sandbox(paths)  # the machine's network is that one's
    processes = ProcessTable(paths)
    progress("stopping the AWS API")
    processes.stop(DAEMON, timeout_seconds=20)
    try:
        HostsFile().clear()
    except MachineError as error:
        progress(str(error))
    progress("stopping the clusters")
    with contextlib.suppress(SlipwayError):
        ClusterManager(paths, processes).pause_all()
    for record in list(processes.records()):
        if record.process() is not None:
            progress(f"stopping {record.name}")
        processes.stop(record.name, timeout_seconds=20)
    unreachable()
    remove_host_address()
    release_machine(paths)


def reset(paths: SandboxPaths, progress: Progress) -> None:
    """Stop everything and remove all that the sandbox made, but the cache of built programs and base images.

    MachineError while another sandbox runs.
    """
    check_root()
    refuse_second_sandbox(paths)
    processes = ProcessTable(paths)
    processes.stop(DAEMON, timeout_seconds=20)
    clusters = ClusterManager(paths, processes)
    for name in _names(clusters, progress):
        progress(f"removing cluster {name}")
        try:
            clusters.delete(name)
        except (SlipwayError, OSError, subprocess.SubprocessError) as error:
            progress(f"cluster {name}: {error}")
    progress("removing databases, registry and engine")
    PostgresInstances(paths, processes).remove_all()
    DockerEngine(paths, processes).remove()
    down(paths, progress)
    sweep(paths)
    remove_account(ACCOUNT)
    unmount_below(paths.sandbox)
    Files.of(paths).remove_runtime()
    shutil.rmtree(paths.sandbox, ignore_errors=True)
    if paths.sandbox.exists():
        raise OperationError(
            "not everything could be removed",
            where=str(paths.sandbox),
            remedy="look what is mounted or open there, then run it again",
        )
    progress(f"removed; built programs and base images stay in {paths.cache}")


def _names(clusters: ClusterManager, progress: Progress) -> list[str]:
    """Their names. Empty when the list is damaged: the sweep at the end needs none."""
    try:
        return clusters.names()
    except MachineError as error:
        progress(str(error))
        return []
