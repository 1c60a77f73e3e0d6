"""Up: everything that is not there yet, in the order in which one thing needs another."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import slipway.sandbox
from slipway.errors import MachineError, OperationError
from slipway.sandbox.aws.fault_plan.plan import FAULTS_VARIABLE, find_plan
from slipway.sandbox.docker import DockerEngine
from slipway.sandbox.environment import ensure_passphrase
from slipway.sandbox.go_programs import CLUSTER_GROUPS, KUBERNETES_PLUGIN, PULUMI, Binaries, Group
from slipway.sandbox.go_programs.links import link_programs, write_aws
from slipway.sandbox.host_address import add_host_address
from slipway.sandbox.images import ImageBuilder, ImageSource
from slipway.sandbox.images.oci import RegistryClient
from slipway.sandbox.images.source import Reference
from slipway.sandbox.kubernetes import ClusterManager, get_token
from slipway.sandbox.kubernetes.layout import kubernetes_folder
from slipway.sandbox.kubernetes.sweep import sweep
from slipway.sandbox.paths import SandboxPaths, private_folder
from slipway.sandbox.processes import ProcessSpec, ProcessTable, inherited
from slipway.sandbox.pulumi.cli import install_cli, machines_cli
from slipway.sandbox.pulumi.kubernetes_plugin import find_kubernetes_plugin, install_kubernetes_plugin
from slipway.sandbox.registry import Registry, store_socket
from slipway.sandbox.requirements import check_machine, claim_machine, dead_owner, ensure_packages
from slipway.sandbox.running import DAEMON, ask_daemon
from slipway.sandbox.switching import METRICS_VARIABLE, check_pace, set_switch

DAEMON_READY_SECONDS = 60
DAEMON_VARIABLES = r"SLIPWAY_\w+|PYTHON\w+|PIP_\w+|UV_\w+|DOCKER_\w+|REQUESTS_CA_BUNDLE"
"""Settings that the daemon reads, and those of the tools with which it builds images."""
RESUME_TIMEOUT_SECONDS = 300
PREPARED_IMAGE = "python:3.11-slim-bookworm"
"""Made at `up`, because the first image build would otherwise seem to hang for a minute."""

Progress = Callable[[str], None]


def up(paths: SandboxPaths, progress: Progress) -> None:
    """Have everything running: install, build and start what is not there yet, and resume what ran before.

    Raises MachineError for a machine that cannot, OperationError for a part that does not come up. Takes 3 s when all runs already.
    """
    started = time.monotonic()
    plan, pace = _wanted_plan(), os.environ.get(METRICS_VARIABLE)
    pace = check_pace(pace, METRICS_VARIABLE) if pace else None
    check_machine(paths)
    _refuse_other_clusters(paths)
    if dead := dead_owner(paths):
        progress(f"taking away what the sandbox in {dead} left: it was killed")
        sweep(paths)
    claim_machine(paths)  # only now: a sweep that is cut short is made again
    private_folder(paths.sandbox)
    ensure_passphrase(paths)
    processes = ProcessTable(paths)
    wanted = _wanted_programs(paths)
    # Building wants processors, the rest mostly the network and the disk. Each can be repeated: both end before an error is raised.
    with ThreadPoolExecutor(max_workers=1) as pool:
        services = pool.submit(_start_services, paths, processes, progress)
        # In this thread, where Ctrl-C ends it.
        _prepare_programs(paths, processes, wanted, progress)
    services.result()
    with _timed("AWS API", progress):
        _start_daemon(paths, processes)
    with _timed("what ran before", progress):
        _wait_resumed(progress)
    if pace:
        set_switch(paths, "metrics", {"pace": pace})
    if plan:
        set_switch(paths, "faults", plan)
        progress(f"fault plan {plan['name']} is on; `slipway sandbox faults off` ends it")
    progress(f"the sandbox is up ({time.monotonic() - started:.1f} s)")


def _wanted_plan() -> dict[str, Any] | None:
    """The fault plan that the environment names, read before anything is started. Raises UsageError."""
    name = os.environ.get(FAULTS_VARIABLE)
    return {"name": name, "plan": find_plan(name).to_document()} if name else None


def _refuse_other_clusters(paths: SandboxPaths) -> None:
    """Raise MachineError for the state of an earlier version that used clusters of another kubeconfig instead of its own."""
    setting = kubernetes_folder(paths) / "existing-kubeconfig"
    if setting.exists():
        raise MachineError(
            "this sandbox used clusters that it did not build, which it no longer does",
            where=str(setting),
            remedy="run `slipway sandbox reset`, then `slipway sandbox up`",
        )


def _wanted_programs(paths: SandboxPaths) -> list[Group]:
    """What has to be built. Raises MachineError without Go, before anything else is done."""
    wanted = [*CLUSTER_GROUPS, *pulumi_groups(paths)]
    binaries = Binaries(paths)
    return [group for group in wanted if not binaries.is_built(group)]


def pulumi_groups(paths: SandboxPaths) -> list[Group]:
    """Of Pulumi's programs those that the machine has not."""
    return [
        *(() if find_kubernetes_plugin(paths) else (KUBERNETES_PLUGIN,)),
        *(() if machines_cli(paths) else (PULUMI,)),
    ]


def _prepare_programs(
    paths: SandboxPaths, processes: ProcessTable, wanted: Sequence[Group], progress: Progress
) -> None:
    with _timed("programs", progress):
        # All in one call: it downloads the next one's modules while one is compiled.
        Binaries(paths).prepare(progress, only=wanted)
        clusters = ClusterManager(paths, processes)
        clusters.prepare(progress)
        install_kubernetes_plugin(paths, progress)
        install_cli(paths, progress)
        link_programs(paths, clusters.kubectl())
        write_aws(paths, Path(get_token.__file__))


def _start_services(paths: SandboxPaths, processes: ProcessTable, progress: Progress) -> None:
    with _timed("Debian packages", progress):
        ensure_packages(progress)
    add_host_address()
    with _timed("image registry", progress):
        Registry(paths, processes).start()
    with _timed("Docker engine", progress):
        engine = DockerEngine(paths, processes)
        engine.start()
    with _timed("base image", progress):
        _prepare_image(paths, engine, progress)


def _start_daemon(paths: SandboxPaths, processes: ProcessTable) -> None:
    code = _code_hash()
    record = processes.find(DAEMON)
    if record is not None and (code not in record.argv or not Path(record.argv[0]).exists()):
        # Started from other sources than these, or from a clone that was deleted, which it still reads from. Its state is on disk.
        processes.stop(DAEMON, timeout_seconds=20)
    processes.ensure(
        ProcessSpec(
            name=DAEMON,
            argv=[sys.executable, "-m", "slipway.sandbox.daemon", "--code", code],
            env={**inherited(DAEMON_VARIABLES), "SLIPWAY_HOME": str(paths.home)},
            cwd=Path("/"),
            ready=lambda: ask_daemon() is not None,
            ready_timeout_seconds=DAEMON_READY_SECONDS,
        )
    )


def _code_hash() -> str:
    (folder,) = slipway.sandbox.__path__
    digest = hashlib.blake2b(digest_size=8)
    sources = (path for pattern in ("*.py", "*.j2", "*.yaml") for path in Path(folder).rglob(pattern))
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _wait_resumed(progress: Progress) -> None:
    deadline = time.monotonic() + RESUME_TIMEOUT_SECONDS
    told = False
    while True:
        report = ask_daemon()
        if report is None:
            raise OperationError("the daemon ended", remedy="look at its log, and run `slipway sandbox up` again")
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
    faults: dict[str, str] = report["faults"]
    for name, why in faults.items():
        progress(f"{name} does not run: {why}")


def _prepare_image(paths: SandboxPaths, engine: DockerEngine, progress: Progress) -> None:
    wanted = Reference.parse(PREPARED_IMAGE)
    with contextlib.closing(RegistryClient(store_socket(paths))) as client:
        source = ImageSource(ImageBuilder(paths.cache / "images", client, progress), client)
        if wanted is not None and (client.manifest(wanted.repository, wanted.tag) is not None or source.ensure(wanted)):
            engine.load(wanted.repository, wanted.tag)


@contextlib.contextmanager
def _timed(what: str, progress: Progress) -> Generator[None]:
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    if seconds >= 0.5:
        progress(f"{what}: ready ({seconds:.1f} s)")
