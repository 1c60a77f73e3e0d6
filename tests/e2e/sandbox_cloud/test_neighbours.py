"""The whole sandbox, with every cluster, database and load balancer that runs: it listens where it says, and no neighbour gets in.

What the table gives to pods is not tried here, nor what pods reach beside it.
"""

from __future__ import annotations

import socket

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import HOST_ADDRESS, LISTENERS
from slipway.sandbox.processes import ProcessTable
from tests.listening import MACHINE, listening, machine_addresses, neighbour, reached

ALWAYS = {"AWS API", "Pulumi providers", "image registry, with credentials"}
SELDOM_BOTH = {
    "kubelet, with a certificate or token": "kubelet's health",
    "Kubernetes API": "etcd, with its client certificate",
}
"""Where there is the first, there is the second."""


def test_each_socket_of_the_sandbox_is_in_the_table_with_its_account(paths: SandboxPaths) -> None:
    sockets = listening(ProcessTable(paths))
    assert [each for each in sockets if each.listener is None] == []
    found = {row.what for row in LISTENERS if any(each.listener == row for each in sockets)}
    assert found >= ALWAYS
    assert {SELDOM_BOTH[what] for what in found & SELDOM_BOTH.keys()} <= found


def test_refuses_a_neighbour_on_both_families(paths: SandboxPaths) -> None:
    sockets = listening(ProcessTable(paths))
    own = {each for each in machine_addresses() if "%" not in each}
    with (
        neighbour("test-neighbour") as near,
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as control,
    ):
        port: int = control.getsockname()[1]
        assert reached(near, [(address, port) for address in (*MACHINE, HOST_ADDRESS)]) == {
            (each, port) for each in MACHINE
        }
        targets = [(address, each.port) for each in sockets for address in {*own, *MACHINE, str(each.address)}]
        assert reached(near, targets) == set()
