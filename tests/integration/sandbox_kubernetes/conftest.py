"""A real control plane with its etcd, in a network namespace, without nodes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from slipway.sandbox.accounts import unreachable
from slipway.sandbox.go_programs import KUBERNETES, Binaries
from slipway.sandbox.kubernetes.layout import ClusterLayout, kubernetes_folder
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from tests.listening import run

INSTALLED = SandboxPaths.from_environment()
CAN_RUN = (
    os.geteuid() == 0
    and all(shutil.which(program) for program in ("ip", "etcd"))
    and Binaries(INSTALLED).is_built(KUBERNETES)
)
START = """
import sys
from pathlib import Path
from slipway.sandbox.go_programs import Binaries
from slipway.sandbox.host_address import add_host_address
from slipway.sandbox.kubernetes.control_plane import ControlPlane
from slipway.sandbox.kubernetes.etcd import Etcd
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.kubernetes.network import ensure_cluster, ensure_host
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
paths = SandboxPaths(Path(sys.argv[1]))
processes, layout = ProcessTable(paths), ClusterLayout.of(paths, "dev", 0)
ensure_host()
ensure_cluster(layout)
etcd = Etcd(paths, processes)
for _ in range(2):  # it may be repeated
    etcd.start()
    ControlPlane(layout, etcd, Binaries(paths), processes).start("http://127.0.0.1:4566/")
"""


@dataclass(frozen=True)
class Plane:
    """The cluster `dev`."""

    paths: SandboxPaths
    namespace: str

    def python(self, program: str, seconds: float) -> str:
        """Run a program beside it, with the sandbox's folder as its argument."""
        return run(sys.executable, "-c", program, str(self.paths.home), namespace=self.namespace, seconds=seconds)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    if not CAN_RUN:
        pytest.skip("needs root, the sandbox's packages, and Kubernetes built")
    paths = SandboxPaths(tmp_path_factory.mktemp("home"))
    paths.cache.symlink_to(INSTALLED.cache)
    namespace, processes = f"test-control-{os.getpid()}", ProcessTable(paths)
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")
    try:
        made = Plane(paths, namespace)
        made.python(START, 400)
        yield made
    finally:
        for record in list(processes.records()):
            processes.stop(record.name)
        programs = Binaries(paths).folder(KUBERNETES)
        unreachable(ClusterLayout.of(paths, "dev", 0).pki, kubernetes_folder(paths) / "etcd", programs)
        run("ip", "netns", "delete", namespace)
