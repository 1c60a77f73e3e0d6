"""Who gets through to what the sandbox serves: its own processes in a namespace that stands for the machine, and a neighbour beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway.sandbox.accounts import unreachable
from slipway.sandbox.kubernetes.control_plane import ACCOUNT
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import API_PORTS, ETCD_PORT, HOST_ADDRESS, REGISTRY_PORT
from slipway.sandbox.processes import ProcessTable
from tests.listening import MACHINE, Socket, listening, neighbour, reached, run

NEEDED = ("ip", "iptables", "etcd", "haproxy", "docker-registry", "socat")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(program) for program in NEEDED),
    reason="needs root and the sandbox's packages",
)
EVERYWHERE = 7777
"""The port of a listener on all addresses: what a neighbour must find, or the probe proves nothing."""
START = """
import sys
from pathlib import Path
from slipway.sandbox.accounts import ensure_account
from slipway.sandbox.kubernetes import network
from slipway.sandbox.kubernetes.control_plane import ACCOUNT
from slipway.sandbox.kubernetes.etcd import Etcd
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessSpec, ProcessTable
from slipway.sandbox.registry import Registry
paths = SandboxPaths(Path(sys.argv[1]))
processes = ProcessTable(paths)
layout = ClusterLayout.of(paths, "dev", 0)
for _ in range(2):  # all of it may be repeated
    network.ensure_host()
    network.ensure_cluster(layout)
    Registry(paths, processes).start()
    Etcd(paths, processes).start()
ensure_account(ACCOUNT)
serve = ["socat", f"TCP-LISTEN:{layout.api_port},bind=10.87.0.1,fork", "PIPE"]
processes.ensure(ProcessSpec(name="dev-kube-apiserver", argv=serve, account=ACCOUNT, cwd=Path("/")))
processes.ensure(ProcessSpec(name="control", argv=[sys.executable, "-m", "http.server", "--bind", "::", sys.argv[2]]))
"""
STOP = """
import sys
from pathlib import Path
from slipway.sandbox.host_address import remove_host_address
from slipway.sandbox.kubernetes import network
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.paths import SandboxPaths
network.remove_cluster(ClusterLayout.of(SandboxPaths(Path(sys.argv[1])), "dev", 0))
network.remove_host()
remove_host_address()
"""


@dataclass
class World:
    """Three namespaces: the machine, a pod behind an interface of the sandbox, and a neighbour behind any other."""

    machine: str
    pod: str
    neighbour: str
    sockets: list[Socket]
    processes: ProcessTable


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("home")
    processes = ProcessTable(SandboxPaths(home))
    machine, pod = f"test-machine-{os.getpid()}", f"test-pod-{os.getpid()}"
    for name in (machine, pod):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    try:
        run("ip", "-n", machine, "link", "add", "slipwaytest", "type", "veth", "peer", "name", "eth0", "netns", pod)
        for name, device, address in ((machine, "slipwaytest", "10.87.10.1/30"), (pod, "eth0", "10.87.10.2/30")):
            run("ip", "-n", name, "address", "add", address, "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", pod, "route", "add", "default", "via", "10.87.10.1")
        run(sys.executable, "-c", START, str(home), str(EVERYWHERE), namespace=machine)
        serve = [sys.executable, "-m", "http.server", "--bind", "::", "80"]
        with (
            neighbour(f"test-neighbour-{os.getpid()}", machine) as near,
            subprocess.Popen(["nsenter", f"--net=/run/netns/{pod}", *serve], stderr=subprocess.DEVNULL) as served,
        ):
            yield World(machine, pod, near, listening(processes), processes)
            served.kill()
        run(sys.executable, "-c", STOP, str(home), namespace=machine)
        assert "SLIPWAY" not in run("iptables-save", namespace=machine)
        assert "10.87" not in run("iptables-save", namespace=machine) + run(
            "ip", "-n", machine, "address", "show", "lo"
        )
    finally:
        for record in list(processes.records()):
            processes.stop(record.name)
        unreachable(home / "sandbox/registry", home / "sandbox/kubernetes/etcd")
        for name in (machine, pod):
            run("ip", "netns", "delete", name)


def test_each_process_listens_where_the_table_says_as_the_account_that_it_names(world: World) -> None:
    sockets = {(socket.process, socket.account, str(socket.address), socket.port) for socket in world.sockets}
    assert sockets == {
        ("control", "root", "::", EVERYWHERE),
        ("dev-kube-apiserver", ACCOUNT, HOST_ADDRESS, API_PORTS[0]),
        ("etcd", "etcd", "127.0.0.1", ETCD_PORT),
        ("registry-proxy", "docker-registry", "127.0.0.1", REGISTRY_PORT),
        ("registry-proxy", "docker-registry", HOST_ADDRESS, REGISTRY_PORT),
    }
    assert {socket.process for socket in world.sockets if socket.listener is None} == {"control"}


def test_refuses_a_neighbour_on_both_families(world: World) -> None:
    ports = {socket.port for socket in world.sockets}
    addresses = [*MACHINE, HOST_ADDRESS, "10.87.10.1", "127.0.0.1", "::1"]
    expected = {(address, EVERYWHERE) for address in (*MACHINE, "10.87.10.1")}
    assert reached(world.neighbour, [(address, port) for address in addresses for port in ports]) == expected
    assert reached(world.neighbour, [("10.87.10.2", 80)]) == set()


def test_pods_and_the_machine_reach_what_the_table_gives_them(world: World) -> None:
    ports = (API_PORTS[0], REGISTRY_PORT, ETCD_PORT)
    expected = {(HOST_ADDRESS, API_PORTS[0]), (HOST_ADDRESS, REGISTRY_PORT)}
    assert reached(world.pod, [(HOST_ADDRESS, port) for port in ports]) == expected
    machine = reached(
        world.machine, [*((host, port) for host in ("127.0.0.1", HOST_ADDRESS) for port in ports), ("10.87.10.2", 80)]
    )
    assert machine == expected | {("127.0.0.1", port) for port in ports} | {("10.87.10.2", 80)}


@pytest.mark.parametrize("name", ["etcd", "registry", "registry-proxy"])
def test_service_has_no_capability_and_no_variable_of_its_caller(world: World, name: str) -> None:
    record = world.processes.find(name)
    process = record.process() if record else None
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert {line.split()[1] for line in status.splitlines() if line.startswith("Cap")} == {"0" * 16}
    assert set(process.environ()) == {"PATH", "LANG"}
