"""Which Service of type LoadBalancer gets which address."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from slipway.sandbox.kubernetes.layout import MAXIMUM_CLUSTERS, MAXIMUM_NODES, ClusterLayout
from slipway.sandbox.kubernetes.load_balanced import changes
from slipway.sandbox.paths import SandboxPaths

ADDRESSES = ipaddress.IPv4Network("10.87.10.128/30")


def service(name: str, *ips: str, **spec: Any) -> dict[str, Any]:
    """Of type LoadBalancer unless told otherwise; later names are younger."""
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z"},
        "spec": {"type": "LoadBalancer", **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]} if ips else {}},
    }


def given(*services: dict[str, Any]) -> dict[str, str | None]:
    """The changes by name."""
    return {each["metadata"]["name"]: address for each, address in changes(services, ADDRESSES)}


def test_each_gets_one_of_its_own_and_keeps_it() -> None:
    assert given(service("a1"), service("a2")) == {"a1": "10.87.10.128", "a2": "10.87.10.129"}
    assert given(service("a1", "10.87.10.129"), service("a2")) == {"a2": "10.87.10.128"}
    assert given(service("a1", "10.87.10.128")) == {}


def test_others_get_none_and_lose_what_they_had() -> None:
    assert given(service("a1", type="ClusterIP"), service("a2", loadBalancerClass="example.com/other")) == {}
    assert given(service("a1", "10.87.10.128", type="ClusterIP")) == {"a1": None}
    leaving = service("a1")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    assert given(leaving) == {}


def test_address_that_two_have_stays_with_the_older_one() -> None:
    assert given(service("a2", "10.87.10.128"), service("a1", "10.87.10.128")) == {"a2": "10.87.10.129"}


def test_address_of_another_range_is_replaced() -> None:
    assert given(service("a1", "192.0.2.1")) == {"a1": "10.87.10.128"}  # from before the cluster was another


def test_range_that_is_used_up_leaves_the_youngest_without() -> None:
    assert set(given(*(service(f"a{number}") for number in range(5)))) == {"a0", "a1", "a2", "a3"}


def test_no_range_meets_a_node_or_another_cluster() -> None:
    paths = SandboxPaths(Path("/somewhere"))
    layouts = [ClusterLayout.of(paths, f"c{index}", index) for index in range(MAXIMUM_CLUSTERS)]
    taken = [layout.node(number).link for layout in layouts for number in range(MAXIMUM_NODES)]
    for layout in layouts:
        others = [other.balancer_network for other in layouts if other is not layout]
        assert not any(layout.balancer_network.overlaps(network) for network in taken + others)
