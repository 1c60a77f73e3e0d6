"""Networks that the machine joins while clusters run."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from slipway.sandbox.kubernetes import ClusterManager, network
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

HOME, LATER = IPv4Network("192.168.1.0/24"), IPv4Network("44.128.9.0/30")


def test_network_that_the_machine_joins_later_is_closed_to_pods(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A public range that came by a VPN or a cable was open to every pod."""
    links, closed, names = {HOME}, list[Collection[IPv4Network]](), list[str]()
    monkeypatch.setattr(network, "links", lambda: frozenset(links))
    monkeypatch.setattr(network, "close_networks", closed.append)
    monkeypatch.setattr(ClusterManager, "names", lambda _self: names)
    paths = SandboxPaths(tmp_path)
    clusters = ClusterManager(paths, ProcessTable(paths))
    clusters.close_networks()
    assert closed == []  # no cluster, no rules
    names.append("orders-dev")
    for _ in range(2):
        clusters.close_networks()
    links.add(LATER)
    for _ in range(2):
        clusters.close_networks()
    assert closed == [{HOME}, {HOME, LATER}]
