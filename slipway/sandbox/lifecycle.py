"""The sandbox's life: up, down, reset, status. Each may be cut short anywhere and run again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import psutil

import slipway.sandbox
from slipway.errors import MachineError, OperationError, SlipwayError
from slipway.sandbox.docker import DockerEngine
from slipway.sandbox.environment import ENDPOINT, ensure_passphrase
from slipway.sandbox.images import ImageBuilder, ImageSource
from slipway.sandbox.images.oci import RegistryClient
from slipway.sandbox.images.source import Reference
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.paths import HOST_ADDRESS, SandboxPaths
from slipway.sandbox.postgres import PostgresInstances
from slipway.sandbox.processes import ProcessSpec, ProcessTable
from slipway.sandbox.registry import BACKEND_URL, Registry
from slipway.sandbox.requirements import check_machine, check_root, claim_machine, release_machine
from slipway.sandbox.status import SandboxStatus, StatusRow

DAEMON = "daemon"
DAEMON_READY_SECONDS = 60
RESUME_TIMEOUT_SECONDS = 300
PREPARED_IMAGE = "python:3.11-slim-bookworm"
"""Made at `up`, because the first image build would otherwise seem to hang for a minute."""
COMMAND_TIMEOUT_SECONDS = 30
STATUS_TIMEOUT_SECONDS = 10

Progress = Callable[[str], None]


def silent(_text: str) -> None:
    """Progress that nobody reads."""


def up(paths: SandboxPaths, progress: Progress) -> None:
    """Have everything running: install, build and start what is not there yet, and resume what ran before.

    Raises MachineError for a machine that cannot, OperationError for a part that does not come up. Takes 3 s when all runs already.
    """
    started = time.monotonic()
    check_machine(paths, progress)
    claim_machine(paths)
    paths.sandbox.mkdir(parents=True, exist_ok=True)
    paths.sandbox.chmod(0o711)  # PostgreSQL's account passes through; nothing else is for others
    ensure_passphrase(paths)
    _add_host_address()
    processes = ProcessTable(paths)
    with _timed("Kubernetes' programs", progress):
        ClusterManager(paths, processes).prepare(progress)
    with _timed("image registry", progress):
        Registry(paths, processes).start()
    with _timed("Docker engine", progress):
        engine = DockerEngine(paths, processes)
        engine.start()
    with _timed("base image", progress):
        _prepare_image(paths, engine, progress)
    with _timed("AWS API", progress):
        _start_daemon(paths, processes)
    with _timed("what ran before", progress):
        _wait_resumed(progress)
    progress(f"the sandbox is up ({time.monotonic() - started:.1f} s)")


def down(paths: SandboxPaths, progress: Progress = silent) -> None:
    """Stop every process; state, images and databases stay for the next `up`."""
    check_root()
    processes = ProcessTable(paths)
    progress("stopping the AWS API")
    processes.stop(DAEMON, timeout_seconds=20)
    progress("stopping the clusters")
    with contextlib.suppress(SlipwayError):
        ClusterManager(paths, processes).pause_all()
    for record in list(processes.records()):
        if record.process() is not None:
            progress(f"stopping {record.name}")
        processes.stop(record.name, timeout_seconds=20)
    _remove_host_address()
    release_machine(paths)


def reset(paths: SandboxPaths, progress: Progress = silent) -> None:
    """Stop everything and remove all that the sandbox made, but the cache of built programs and base images."""
    check_root()
    processes = ProcessTable(paths)
    processes.stop(DAEMON, timeout_seconds=20)
    clusters = ClusterManager(paths, processes)
    for name in clusters.names():
        progress(f"removing cluster {name}")
        try:
            clusters.delete(name)
        except (SlipwayError, OSError, subprocess.SubprocessError) as error:
            progress(f"cluster {name}: {error}")
    progress("removing databases, registry and engine")
    PostgresInstances(paths, processes).remove_all()
    DockerEngine(paths, processes).remove()
    down(paths, progress)
    _unmount_below(paths.sandbox)
    shutil.rmtree(paths.sandbox, ignore_errors=True)
    if paths.sandbox.exists():
        raise OperationError(
            "not everything could be removed",
            where=str(paths.sandbox),
            remedy="look what is mounted or open there, then run it again",
        )
    progress(f"removed; built programs and base images stay in {paths.cache}")


def status(paths: SandboxPaths) -> SandboxStatus:
    """What runs. Never raises: a dead daemon is a row, too."""
    processes = ProcessTable(paths)
    rows: list[StatusRow] = []
    report = _daemon_report(processes)
    if report is not None:
        rows += [StatusRow(**row) for row in report["rows"]]
        faults: dict[str, str] = report["faults"]
        rows += [
            StatusRow(name=name, kind="fault", address="", state="failed", detail=why) for name, why in faults.items()
        ]
    for record in processes.records():
        alive = record.process() is not None
        detail = f"pid {record.pid}" if alive else f"log: {processes.log_path(record.name)}"
        rows.append(
            StatusRow(name=record.name, kind="process", address="", state="running" if alive else "dead", detail=detail)
        )
    return SandboxStatus(running=report is not None, ready=bool(report and report["ready"]), rows=tuple(rows))


def require_running(paths: SandboxPaths) -> None:
    """Raise one clear MachineError unless the daemon answers; for commands that need the sandbox."""
    if not status(paths).running:
        processes = ProcessTable(paths)
        record = processes.find(DAEMON)
        died = record is not None and record.process() is None
        raise MachineError(
            "the sandbox is not running" + (" (its daemon ended)" if died else ""),
            where=str(processes.log_path(DAEMON)) if died else "",
            remedy="run `slipway sandbox up`; it goes on where it was",
        )


def kubeconfig(paths: SandboxPaths, cluster_name: str) -> Path:
    """The administrator's kubeconfig of a cluster; raises NotFoundError when there is none."""
    return ClusterManager(paths, ProcessTable(paths)).info(cluster_name).admin_kubeconfig


def _start_daemon(paths: SandboxPaths, processes: ProcessTable) -> None:
    code = _code_hash()
    record = processes.find(DAEMON)
    if record is not None and code not in record.argv:
        # Started from other sources than these; its state is on disk.
        processes.stop(DAEMON, timeout_seconds=20)
    processes.ensure(
        ProcessSpec(
            name=DAEMON,
            argv=[sys.executable, "-m", "slipway.sandbox.daemon", "--code", code],
            env={"SLIPWAY_HOME": str(paths.home)},
            cwd=Path("/"),
            ready=lambda: httpx.get(f"{ENDPOINT}/_slipway/status", timeout=2).is_success,
            ready_timeout_seconds=DAEMON_READY_SECONDS,
        )
    )


def _code_hash() -> str:
    (folder,) = slipway.sandbox.__path__
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(folder).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _wait_resumed(progress: Progress) -> None:
    deadline = time.monotonic() + RESUME_TIMEOUT_SECONDS
    told = False
    while True:
        report = httpx.get(f"{ENDPOINT}/_slipway/status", timeout=10).json()
        if report["ready"]:
            break
        if time.monotonic() > deadline:
            raise OperationError(
                f"what ran before did not come back within {RESUME_TIMEOUT_SECONDS} s",
                remedy="look at `slipway sandbox status`",
            )
        if not told:
            progress("bringing back what ran before")
            told = True
        time.sleep(0.2)
    for name, why in report["faults"].items():
        progress(f"{name} does not run: {why}")


def _prepare_image(paths: SandboxPaths, engine: DockerEngine, progress: Progress) -> None:
    wanted = Reference.parse(PREPARED_IMAGE)
    with contextlib.closing(RegistryClient(BACKEND_URL)) as client:
        source = ImageSource(ImageBuilder(paths.cache / "images", client, progress), client)
        if wanted is not None and (client.manifest(wanted.repository, wanted.tag) is not None or source.ensure(wanted)):
            engine.load(wanted.repository, wanted.tag)


def _daemon_report(processes: ProcessTable) -> dict[str, Any] | None:
    """The daemon's status page; None when it does not answer, or another sandbox's does."""
    record = processes.find(DAEMON)
    try:
        report: dict[str, Any] = httpx.get(f"{ENDPOINT}/_slipway/status", timeout=STATUS_TIMEOUT_SECONDS).json()
        return report if record is not None and record.pid == report["pid"] else None
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def _add_host_address() -> None:
    addresses = [address.address for address in psutil.net_if_addrs().get("lo", [])]
    if HOST_ADDRESS not in addresses:
        _ip("addr", "add", f"{HOST_ADDRESS}/32", "dev", "lo")


def _remove_host_address() -> None:
    addresses = [address.address for address in psutil.net_if_addrs().get("lo", [])]
    if HOST_ADDRESS in addresses:
        _ip("addr", "del", f"{HOST_ADDRESS}/32", "dev", "lo")


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS)
    except subprocess.CalledProcessError as error:
        raise MachineError(
            f"ip {' '.join(arguments)} failed: {error.stderr.strip()}", remedy="is this a container without NET_ADMIN?"
        ) from error


def _unmount_below(folder: Path) -> None:
    """Longest first: a mount may lie below another."""
    prefix = f"{folder}{os.sep}"
    mounts = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(prefix)), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True, timeout=COMMAND_TIMEOUT_SECONDS)


@contextlib.contextmanager
def _timed(what: str, progress: Progress) -> Generator[None]:
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    if seconds >= 0.5:
        progress(f"{what}: ready ({seconds:.1f} s)")
