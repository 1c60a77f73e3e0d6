"""Who gets through to what the sandbox serves: its own processes in a namespace that stands for the machine, with two clusters' nodes and
pods, and a neighbour beside it.
"""

from __future__ import annotations

import contextlib
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
from slipway.sandbox.ports import (
    API_PORTS,
    AWS_PORT,
    DATABASE_PORTS,
    ETCD_PORT,
    HOST_ADDRESS,
    KUBELET_PORT,
    POD_IDENTITY_ADDRESS,
    REGISTRY_PORT,
)
from slipway.sandbox.processes import ProcessTable
from tests.listening import MACHINE, NEIGHBOUR, Socket, listening, neighbour, reached, run

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
from slipway.sandbox.firewall import ensure_chain
from slipway.sandbox.kubernetes import network
from slipway.sandbox.kubernetes.control_plane import ACCOUNT
from slipway.sandbox.kubernetes.etcd import Etcd
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.packet_rules import databases_chain
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
for index, node in enumerate(sys.argv[3:]):
    for chain in network.node_chains(ClusterLayout.of(paths, "any", index).node(0)):
        ensure_chain(chain, namespace=node)
# Of 20 databases the first one belongs to the first cluster, the last one to the second.
ensure_chain(databases_chain({0: range(15432, 15450), 1: [15451]}))
network.ensure_host()  # a new cluster takes no database away
ensure_account(ACCOUNT)
for name, port, account in [
    ("dev-kube-apiserver", layout.api_port, ACCOUNT),
    ("prod-kube-apiserver", layout.api_port + 10, ACCOUNT),
    ("daemon", 4566, ""),
    *((f"postgres-{port}", port, "postgres") for port in (15432, 15449, 15451)),
]:
    serve = ["socat", f"TCP-LISTEN:{port},bind=10.87.0.1,fork", "PIPE"]
    processes.ensure(ProcessSpec(name=name, argv=serve, account=account, cwd=Path("/")))
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


DEV, PROD = 0, 1
NODES, PODS = ("10.87.10.2", "10.87.11.2"), ("10.90.0.5", "10.91.0.5")
"""Of the two clusters."""
FOREIGN = "10.90.200.5"
"""An address of dev's pod that is not its node's to give."""


@dataclass
class World:
    """Namespaces: the machine, a node of each cluster, a pod behind each, and a neighbour behind any other interface."""

    machine: str
    nodes: tuple[str, str]
    pods: tuple[str, str]
    neighbour: str
    sockets: list[Socket]
    processes: ProcessTable


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("home")
    processes = ProcessTable(SandboxPaths(home))
    machine = f"test-machine-{os.getpid()}"
    nodes = (f"test-dev-{os.getpid()}", f"test-prod-{os.getpid()}")
    pods = (f"{nodes[DEV]}-pod", f"{nodes[PROD]}-pod")
    for name in (machine, *nodes, *pods):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    try:
        for index, node in enumerate(nodes):
            link_node(machine, node, index)
            link_pod(node, pods[index], PODS[index])
        run("ip", "-n", pods[DEV], "address", "add", f"{FOREIGN}/32", "dev", "lo")
        run("ip", "-n", nodes[DEV], "route", "add", f"{FOREIGN}/32", "dev", "pod")
        run("ip", "-n", machine, "route", "add", f"{FOREIGN}/32", "via", NODES[DEV])
        run(sys.executable, "-c", START, str(home), str(EVERYWHERE), *nodes, namespace=machine)
        with neighbour(f"test-neighbour-{os.getpid()}", machine) as near, contextlib.ExitStack() as served:
            for name, port in [*((each, port) for each in (*nodes, *pods) for port in (80, KUBELET_PORT)), (near, 80)]:
                argv = ["nsenter", f"--net=/run/netns/{name}", sys.executable, "-m", "http.server", "--bind", "::"]
                process = subprocess.Popen([*argv, str(port)], stderr=subprocess.DEVNULL)
                served.enter_context(process)
                served.callback(process.kill)
            yield World(machine, nodes, pods, near, listening(processes), processes)
        run(sys.executable, "-c", STOP, str(home), namespace=machine)
        assert "SLIPWAY" not in run("iptables-save", namespace=machine)
        assert HOST_ADDRESS not in run("ip", "-n", machine, "address", "show", "lo")
    finally:
        for record in list(processes.records()):
            processes.stop(record.name)
        unreachable(home / "sandbox/registry", home / "sandbox/kubernetes/etcd")
        for name in (machine, *nodes, *pods):
            run("ip", "netns", "delete", name)


def link_node(machine: str, node: str, index: int) -> None:
    """As the sandbox links a node."""
    interface, gateway = f"slipway{index}n0", f"10.87.{10 + index}.1"
    run("ip", "-n", machine, "link", "add", interface, "type", "veth", "peer", "name", "eth0", "netns", node)
    for name, device, address in ((machine, interface, gateway), (node, "eth0", NODES[index])):
        run("ip", "-n", name, "address", "add", f"{address}/30", "dev", device)
        run("ip", "-n", name, "link", "set", device, "up")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", namespace=node)
    run("ip", "-n", node, "route", "add", "default", "via", gateway)
    run("ip", "-n", machine, "route", "add", f"{PODS[index]}/32", "via", NODES[index])


def link_pod(node: str, pod: str, address: str) -> None:
    """As the pod network does it: a link of its own for each pod."""
    run("ip", "-n", node, "link", "add", "pod", "type", "veth", "peer", "name", "eth0", "netns", pod)
    run("ip", "-n", node, "address", "add", "10.90.15.254/32", "dev", "pod")
    run("ip", "-n", pod, "address", "add", f"{address}/32", "dev", "eth0")
    for name, device in ((node, "pod"), (pod, "eth0")):
        run("ip", "-n", name, "link", "set", device, "up")
    run("ip", "-n", node, "route", "add", f"{address}/32", "dev", "pod")
    run("ip", "-n", pod, "route", "add", "10.90.15.254/32", "dev", "eth0")
    run("ip", "-n", pod, "route", "add", "default", "via", "10.90.15.254")


def test_each_process_listens_where_the_table_says_as_the_account_that_it_names(world: World) -> None:
    sockets = {(socket.process, socket.account, str(socket.address), socket.port) for socket in world.sockets}
    assert sockets == {
        ("control", "root", "::", EVERYWHERE),
        ("daemon", "root", HOST_ADDRESS, AWS_PORT),
        ("dev-kube-apiserver", ACCOUNT, HOST_ADDRESS, API_PORTS[0]),
        ("prod-kube-apiserver", ACCOUNT, HOST_ADDRESS, API_PORTS[1]),
        *((f"postgres-{port}", "postgres", HOST_ADDRESS, port) for port in (15432, 15449, 15451)),
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
    assert reached(world.neighbour, [(NODES[DEV], 80), (PODS[DEV], 80)]) == set()


@pytest.mark.parametrize("number", [DEV, PROD], ids=["dev", "prod"])
def test_pods_reach_their_own_environment_and_the_aws_api_and_nothing_else(world: World, number: int) -> None:
    ports = {socket.port for socket in world.sockets} | {80, KUBELET_PORT, *DATABASE_PORTS[:22], *API_PORTS}
    addresses = [HOST_ADDRESS, "10.87.10.1", "10.87.11.1", MACHINE[0], NEIGHBOUR[0], *NODES, *PODS, "169.254.169.254"]
    databases = {DEV: {DATABASE_PORTS[0], DATABASE_PORTS[17]}, PROD: {DATABASE_PORTS[19]}}[number]
    own = {(address, port) for address in (NODES[number], PODS[number]) for port in (80, KUBELET_PORT)}
    expected = own | {(HOST_ADDRESS, port) for port in (AWS_PORT, API_PORTS[number], *databases)}
    targets = [(address, port) for address in addresses for port in ports]
    agent = (POD_IDENTITY_ADDRESS, 80)
    assert reached(world.pods[number], [*targets, agent]) == {*expected, agent}
    # The node itself pulls images, through a mirror of the machine's network where there is one.
    assert reached(world.nodes[number], targets) == expected | {(HOST_ADDRESS, REGISTRY_PORT), (NEIGHBOUR[0], 80)}


def test_refuses_a_pod_under_an_address_that_is_not_its_nodes(world: World) -> None:
    assert reached(world.pods[DEV], [(HOST_ADDRESS, AWS_PORT)], PODS[DEV]) == {(HOST_ADDRESS, AWS_PORT)}
    assert reached(world.pods[DEV], [(HOST_ADDRESS, AWS_PORT)], FOREIGN) == set()


def test_machine_reaches_all_of_it(world: World) -> None:
    ports = {socket.port for socket in world.sockets if str(socket.address) == HOST_ADDRESS}
    targets = {(HOST_ADDRESS, port) for port in ports}
    targets |= {("127.0.0.1", port) for port in (API_PORTS[0], REGISTRY_PORT, ETCD_PORT)}
    targets |= {(address, 80) for address in (*NODES, *PODS)}
    assert reached(world.machine, targets) == targets


@pytest.mark.parametrize("name", ["etcd", "registry", "registry-proxy"])
def test_service_has_no_capability_and_no_variable_of_its_caller(world: World, name: str) -> None:
    record = world.processes.find(name)
    process = record.process() if record else None
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert {line.split()[1] for line in status.splitlines() if line.startswith("Cap")} == {"0" * 16}
    assert set(process.environ()) == {"PATH", "LANG"}
