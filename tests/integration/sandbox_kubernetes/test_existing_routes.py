"""Routes to pods behind a node that is on a network of this machine, as with kind: a network namespace stands for the node."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from slipway.errors import OperationError
from slipway.sandbox.kubernetes.existing.reach import is_reachable
from slipway.sandbox.kubernetes.existing.routes import NodeAddresses, ensure_route, is_neighbour, remove_routes
from slipway.sandbox.kubernetes.state import PodRoute

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="routes need root and iproute2")

NAMESPACE, LINK = "slipway-test-node", "slipwaytest0"
HOST, NODE, OTHER = "198.18.77.1", "198.18.77.2", "198.18.77.3"
POD_RANGE, POD = "198.18.78.0/24", "198.18.78.5"
"""Of the range for benchmarks of networks, RFC 2544: nobody routes it."""
PORT = 8080
KIND = NodeAddresses(name="kind-worker", address=NODE, pod_range=POD_RANGE)


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10).stdout


@pytest.fixture
def pod() -> Iterator[None]:
    """A node in a namespace of its own, with a pod behind it that listens."""
    subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False, capture_output=True, timeout=10)
    ip("netns", "add", NAMESPACE)
    ip("link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
    ip("address", "add", f"{HOST}/29", "dev", LINK)
    ip("link", "set", LINK, "up")
    ip("-n", NAMESPACE, "address", "add", f"{NODE}/29", "dev", "eth0")
    ip("-n", NAMESPACE, "link", "set", "eth0", "up")
    ip("-n", NAMESPACE, "link", "set", "lo", "up")
    ip("-n", NAMESPACE, "address", "add", f"{POD}/32", "dev", "lo")
    inside = ["nsenter", f"--net=/run/netns/{NAMESPACE}", "socat"]
    listener = subprocess.Popen([*inside, f"TCP-LISTEN:{PORT},bind={POD},fork", "EXEC:true"])
    try:
        yield
    finally:
        listener.kill()
        listener.wait(10)
        ip("link", "delete", LINK)
        ip("netns", "delete", NAMESPACE)


@pytest.mark.usefixtures("pod")
def test_pod_answers_as_long_as_the_route_is_there() -> None:
    assert is_neighbour(NODE)
    route = ensure_route(KIND, [])

    assert route == PodRoute(destination=POD_RANGE, via=NODE)
    assert any(is_reachable([(POD, PORT)]) for _ in range(3))
    assert ensure_route(KIND, [route]) == route
    remove_routes([route])
    assert ip("route", "show", POD_RANGE) == ""
    remove_routes([route])


@pytest.mark.usefixtures("pod")
def test_own_route_follows_a_node_that_has_another_address_now() -> None:
    before = PodRoute(destination=POD_RANGE, via=OTHER)
    ip("route", "add", POD_RANGE, "via", OTHER, "proto", "87")

    assert ensure_route(KIND, [before]) == PodRoute(destination=POD_RANGE, via=NODE)
    assert NODE in ip("route", "show", POD_RANGE)


@pytest.mark.usefixtures("pod")
def test_route_of_somebody_else_to_the_same_node_is_left_alone() -> None:
    ip("route", "add", POD_RANGE, "via", NODE)

    assert ensure_route(KIND, []) is None
    remove_routes([PodRoute(destination=POD_RANGE, via=NODE)])
    assert NODE in ip("route", "show", POD_RANGE)


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize("protocol", ["static", "87"])
def test_refuses_a_range_that_leads_to_another_cluster(protocol: str) -> None:
    ip("route", "add", POD_RANGE, "via", OTHER, "proto", protocol)

    with pytest.raises(
        OperationError, match=f"addresses of {POD_RANGE}, which this machine routes to {OTHER}"
    ) as refused:
        ensure_route(KIND, [])
    assert "networking.podSubnet" in refused.value.remedy


def test_gateway_and_address_behind_it_are_told_apart() -> None:
    assert is_neighbour("127.0.0.1")
    assert not is_neighbour("203.0.113.77") or "203.0.113." in ip("-4", "address", "show")
    assert not is_neighbour("")
