"""A zone that is out of reach: which targets and databases are, too. That packets are dropped is what the packet filter's tests prove."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from slipway.sandbox.aws import database_clients
from slipway.sandbox.aws.database_clients import database_ports
from slipway.sandbox.aws.security_groups import Party, Rule
from slipway.sandbox.aws.target_clients import load_balancer_reach
from slipway.sandbox.aws.world import World, use_world, world
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.kubernetes.state import ClusterBook, NodeRecord
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

ALL = Rule(protocol="-1", ports=(0, 0), group_id="sg-1")
PARTY = Party(vpc_id="vpc-1", group_ids=frozenset({"sg-1"}), networks=frozenset(), ingress=(ALL,), egress=(ALL,))
BALANCER = SimpleNamespace(
    arn="arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/edge/1",
    vpc_id="vpc-1",
    security_groups=[],
    subnets=[],
)
FIRST_NODE, SECOND_NODE = "10.90.0.7", "10.90.16.7"
"""Pods of cluster 0 on its nodes 0 and 1."""


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[set[str]]:
    """The zones that are gone. There is one cluster, with a node in each of two zones."""
    paths = SandboxPaths(tmp_path)
    book = ClusterBook(paths)
    record = book.allocate("dev", "http://127.0.0.1/")
    nodes = tuple(NodeRecord(number=number, group="main", zone=f"us-east-1{zone}") for number, zone in enumerate("ab"))
    book.put("dev", record.model_copy(update={"nodes": nodes}))
    before, zones = world(), set[str]()
    use_world(World(clusters=ClusterManager(paths, ProcessTable(paths)), gone_zones=lambda: frozenset(zones)))
    with mock_aws():
        yield zones
    use_world(before)


def test_load_balancer_reaches_the_pods_of_the_other_zones_only(gone: set[str]) -> None:
    def reached() -> list[bool]:
        reaches = load_balancer_reach()(BALANCER)
        return [reaches(address, 8080) for address in (FIRST_NODE, SECOND_NODE, "127.0.0.1")]

    assert reached() == [True, True, True]
    gone.add("us-east-1a")
    assert reached() == [False, True, True]


def test_node_and_its_pods_are_in_its_zone(gone: set[str]) -> None:
    clusters = world().clusters
    assert clusters is not None
    addresses = ("10.87.10.2", FIRST_NODE, "10.87.10.6", SECOND_NODE, "10.91.0.7", "10.90.32.1", "127.0.0.1")
    zones = [clusters.zone_of(address) for address in addresses]
    assert zones == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b", None, None, None]


def test_pods_reach_databases_of_other_zones_and_those_with_a_standby(
    gone: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    databases: list[Any] = [
        SimpleNamespace(availability_zone="us-east-1a", multi_az=False, port=15432, asked_port=5432),
        SimpleNamespace(availability_zone="us-east-1a", multi_az=True, port=15433, asked_port=5432),
        SimpleNamespace(availability_zone="us-east-1b", multi_az=False, port=15434, asked_port=5432),
    ]
    monkeypatch.setattr(database_clients, "clusters_pods", lambda: [("dev", PARTY)])
    monkeypatch.setattr(database_clients, "real_instances", lambda: databases)
    monkeypatch.setattr(database_clients, "_database", lambda _database: PARTY)
    assert database_ports() == {"dev": {15432, 15433, 15434}}
    gone.add("us-east-1a")
    assert database_ports() == {"dev": {15433, 15434}}
