"""Addresses, names and paths that running clusters rely on."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from slipway.errors import UsageError
from slipway.sandbox.kubernetes.layout import MAXIMUM_CLUSTERS, MAXIMUM_NODES, ClusterLayout, cluster_index
from slipway.sandbox.paths import SandboxPaths

PATHS = SandboxPaths(Path("/home/dev/.slipway"))


def test_layout_of_the_first_cluster_is_the_promised_one() -> None:
    cluster = ClusterLayout.of(PATHS, "orders-dev", 0)
    node = cluster.node(0)

    assert cluster.endpoint == "https://127.0.0.1:6443"
    assert cluster.node_endpoint == "https://10.87.0.1:6443"
    assert (str(cluster.pod_network), str(cluster.service_network)) == ("10.90.0.0/16", "10.110.0.0/16")
    assert (cluster.kubernetes_service_address, cluster.dns_address) == ("10.110.0.1", "10.110.0.10")
    assert (node.key, node.host_address, node.address) == ("slipway-0", "10.87.10.1", "10.87.10.2")
    assert node.name == "ip-10-87-10-2.ec2.internal"


def test_node_name_carries_the_region_when_it_is_not_us_east_1() -> None:
    node = ClusterLayout.of(PATHS, "a", 1).node(0, "eu-west-1")

    assert node.name == "ip-10-87-11-2.eu-west-1.compute.internal"


def test_address_of_a_pod_or_node_tells_its_cluster() -> None:
    for index in (0, 1, 15):
        cluster = ClusterLayout.of(PATHS, "a", index)
        node = cluster.node(15)
        assert [cluster_index(str(each)) for each in (node.address, node.pod_range[5])] == [index, index]
    for address in ("127.0.0.1", "10.87.0.1", "10.110.0.1", "192.0.2.2", "10.87.1.2"):
        assert cluster_index(address) is None


def test_ranges_never_overlap_among_all_clusters_and_nodes() -> None:
    clusters = [ClusterLayout.of(PATHS, f"c{index}", index) for index in range(MAXIMUM_CLUSTERS)]
    nodes = [cluster.node(number) for cluster in clusters for number in range(MAXIMUM_NODES)]

    networks = [network for cluster in clusters for network in (cluster.pod_network, cluster.service_network)]
    assert not [pair for pair in itertools.combinations(networks, 2) if pair[0].overlaps(pair[1])]
    assert len({node.link for node in nodes}) == len(nodes)
    assert len({node.pod_range for node in nodes}) == len(nodes)
    assert all(node.pod_range.subnet_of(node.cluster.pod_network) for node in nodes)
    assert len({cluster.api_port for cluster in clusters}) == len(clusters)


def test_interface_names_fit_the_kernel_for_every_node() -> None:
    last = ClusterLayout.of(PATHS, "last", MAXIMUM_CLUSTERS - 1).node(MAXIMUM_NODES - 1)

    assert len(last.host_interface) <= 15


@pytest.mark.parametrize("index", [-1, MAXIMUM_CLUSTERS])
def test_refuses_a_cluster_number_outside_the_ranges(index: int) -> None:
    with pytest.raises(UsageError, match=f"cluster number {index} is outside 0 to 15"):
        ClusterLayout.of(PATHS, "a", index)


@pytest.mark.parametrize("name", ["", "..", "../a", "a/../../b", "a\n"])
def test_refuses_a_name_that_leaves_the_folder(name: str) -> None:
    with pytest.raises(UsageError, match="no name of a cluster"):
        ClusterLayout.of(PATHS, name, 0)


def test_sockets_of_the_kubelet_have_short_paths_however_deep_the_home_is() -> None:
    deep = SandboxPaths(Path("/" + "x" * 200))
    node = ClusterLayout.of(deep, "orders-staging-1a2b3c4", MAXIMUM_CLUSTERS - 1).node(MAXIMUM_NODES - 1)

    assert node.kubelet_folder.is_relative_to(deep.home)
    # 107 is what `sockaddr_un` holds; source: unix(7). The kubelet has no longer one.
    assert len(str(node.kubelet_link / "device-plugins" / "kubelet.sock")) <= 107
