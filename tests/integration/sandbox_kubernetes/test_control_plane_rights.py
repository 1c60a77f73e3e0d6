"""What a control plane's processes may do and read: a real one with its etcd, in a network namespace, without nodes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.sandbox.accounts import second_mount, unreachable
from slipway.sandbox.go_programs import KUBERNETES, Binaries
from slipway.sandbox.kubernetes.control_plane import ACCOUNT, PROGRAMS
from slipway.sandbox.kubernetes.layout import ClusterLayout, kubernetes_folder
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from tests.listening import run

INSTALLED = SandboxPaths.from_environment()
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or not all(shutil.which(program) for program in ("ip", "etcd"))
    or not Binaries(INSTALLED).is_built(KUBERNETES),
    reason="needs root, the sandbox's packages, and Kubernetes built",
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


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPaths]:
    paths = SandboxPaths(tmp_path_factory.mktemp("home"))
    paths.cache.symlink_to(INSTALLED.cache)
    namespace, processes = f"test-control-{os.getpid()}", ProcessTable(paths)
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")
    try:
        run(sys.executable, "-c", START, str(paths.home), namespace=namespace, seconds=400)
        yield paths
    finally:
        for record in list(processes.records()):
            processes.stop(record.name)
        programs = Binaries(paths).folder(KUBERNETES)
        unreachable(ClusterLayout.of(paths, "dev", 0).pki, kubernetes_folder(paths) / "etcd", programs)
        run("ip", "netns", "delete", namespace)


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_has_its_account_no_capability_and_no_variable_of_its_caller(paths: SandboxPaths, program: str) -> None:
    record = ProcessTable(paths).find(f"dev-{program}")
    process = record.process() if record else None
    assert process is not None
    assert (process.username(), process.name()) == (ACCOUNT, program)
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert {line.split()[1] for line in status.splitlines() if line.startswith("Cap")} == {"0" * 16}
    assert "NoNewPrivs:\t1" in status
    assert set(process.environ()) == {"PATH", "LANG"}


def test_account_reads_its_own_keys_and_no_other_account_does(paths: SandboxPaths) -> None:
    folder = second_mount(ClusterLayout.of(paths, "dev", 0).pki)
    names = {"ca.key", "admin.kubeconfig", "front-proxy-ca.key"}

    def read_by(account: str) -> set[str]:
        identity = (f"--reuid={account}", f"--regid={account}", "--init-groups")
        loop = f"cd {folder} || exit 0; for name in {' '.join(names)}; do test -r $name && echo $name; done; true"
        return set(run("setpriv", *identity, "sh", "-c", loop).split())

    assert (read_by("root"), read_by(ACCOUNT)) == (names, {"ca.key"})
    assert read_by("etcd") == set()
