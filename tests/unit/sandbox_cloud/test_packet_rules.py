"""What the packet filter lets pods do, from the table of ports. That packets obey is tried in the integration tests."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from slipway.sandbox.packet_rules import databases_chain, forward_chain, host_chain
from slipway.sandbox.ports import HOST_ADDRESS, LISTENERS, Clients

RESOLVER = "192.0.2.53"


def test_pods_get_nothing_of_what_the_table_keeps_for_the_machine() -> None:
    ports = {
        int(rule.split("--dport ")[1].split()[0].split(":")[0]) for rule in host_chain([]).rules if "dport" in rule
    }

    open_to_pods = [row for row in LISTENERS if f"{HOST_ADDRESS}/32" in row.networks]
    closed = {port for row in LISTENERS if row not in open_to_pods and len(row.ports) < 100 for port in row.ports}
    assert not ports & closed
    assert {row.ports[0] for row in open_to_pods} <= ports
    assert Clients.MACHINE not in {row.clients for row in open_to_pods}


def test_api_server_is_for_the_cluster_of_its_number_and_the_registry_for_nodes() -> None:
    rules = host_chain([]).rules

    assert f"-i slipway0n+ -d {HOST_ADDRESS} -p tcp --dport 6443 -j ACCEPT" in rules
    assert f"-i slipway15n+ -d {HOST_ADDRESS} -p tcp --dport 6593 -j ACCEPT" in rules
    (registry,) = [rule for rule in rules if "--dport 5000 " in rule]
    assert "-s 10.87.0.0/16" in registry


def test_resolver_is_asked_for_names_only_before_its_network_is_closed() -> None:
    rules = list(forward_chain([RESOLVER], []).rules)

    asked = [rule for rule in rules if RESOLVER in rule]
    assert [rule.split("-p ")[1] for rule in asked] == ["udp --dport 53 -j ACCEPT", "tcp --dport 53 -j ACCEPT"]
    assert max(map(rules.index, asked)) < min(index for index, rule in enumerate(rules) if "! -s" in rule)
    assert [rule.split()[-1] for rule in host_chain([RESOLVER]).rules if RESOLVER in rule] == ["ACCEPT", "ACCEPT"]


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("172.31.0.2", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.100.100.200", False),
        ("224.0.0.251", False),
        ("198.41.0.9", False),  # a neighbour on the machine's own link
        ("198.41.1.9", True),
    ],
)
def test_pods_reach_the_internet_and_no_network_of_the_machine(address: str, is_open: bool) -> None:
    rules = forward_chain([], [IPv4Network("198.41.0.0/24")]).rules

    closed = [IPv4Network(rule.split("-d ")[1].split()[0]) for rule in rules if "! -s" in rule]
    assert any(IPv4Address(address) in network for network in closed) != is_open


def test_databases_are_listed_by_cluster_15_ports_a_rule() -> None:
    rules = databases_chain({1: {15433}, 0: range(15432, 15448), 2: set()}).rules

    assert [(rule.split()[1], rule.split("--dports ")[1].split()[0].count(",") + 1) for rule in rules] == [
        ("slipway0n+", 15),
        ("slipway0n+", 1),
        ("slipway1n+", 1),
    ]
