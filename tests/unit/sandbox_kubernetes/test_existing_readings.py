"""What is read from an existing cluster's nodes and pods."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.sandbox.kubernetes.existing.access import access_objects
from slipway.sandbox.kubernetes.existing.pull_check import pull_verdict
from slipway.sandbox.kubernetes.existing.reach import pods_to_ask
from slipway.sandbox.kubernetes.existing.routes import NodeAddresses, read_addresses


def node(addresses: list[str], **spec: Any) -> dict[str, Any]:
    listed = [{"type": "Hostname", "address": "n"}, *({"type": "InternalIP", "address": each} for each in addresses)]
    return {"metadata": {"name": "n"}, "spec": spec, "status": {"addresses": listed}}


def pod(address: str = "10.244.0.5", *, ready: str = "True", **spec: Any) -> dict[str, Any]:
    containers = [
        {"name": "a"},
        {"name": "b", "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]},
    ]
    status = {"podIP": address, "conditions": [{"type": "Ready", "status": ready}]}
    return {"spec": {"nodeName": "n", "containers": containers} | spec, "status": status}


def test_addresses_are_those_of_ipv4_when_a_node_has_both() -> None:
    both = node(["fd00::2", "172.18.0.2"], podCIDR="fd01::/64", podCIDRs=["fd01::/64", "10.244.0.0/24"])
    assert read_addresses(both) == NodeAddresses(name="n", address="172.18.0.2", pod_range="10.244.0.0/24")


def test_range_is_empty_when_the_pod_network_has_its_own_way() -> None:
    assert read_addresses(node(["172.18.0.2"])).pod_range == ""


def test_only_ready_pods_with_an_address_and_a_port_of_their_own_are_asked() -> None:
    silent = [pod(hostNetwork=True), pod(ready="False"), pod(""), pod("fd00::5"), pod(containers=[{"name": "a"}])]
    assert pods_to_ask(silent) == {}
    assert pods_to_ask([*silent, pod()]) == {"n": [("10.244.0.5", 53)]}


def test_three_pods_of_a_node_are_enough() -> None:
    assert len(pods_to_ask([pod(f"10.244.0.{number}") for number in range(2, 9)])["n"]) == 3


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ({}, (False, "")),
        ({"waiting": {"reason": "ContainerCreating"}}, (False, "")),
        ({"waiting": {"reason": "ErrImagePull", "message": "connection refused"}}, (True, "connection refused")),
        ({"waiting": {"reason": "ImagePullBackOff"}}, (True, "ImagePullBackOff")),
        ({"waiting": {"reason": "RunContainerError", "message": "no such file"}}, (True, "")),
        ({"terminated": {"exitCode": 128}}, (True, "")),
    ],
)
def test_pull_is_judged_by_what_came_after_it(state: dict[str, Any], verdict: tuple[bool, str]) -> None:
    assert pull_verdict({"status": {"containerStatuses": [{"state": state}]}}) == verdict


def test_every_access_object_is_marked_as_ours() -> None:
    objects = access_objects()
    assert len(objects) == 6
    for path, document in objects:
        assert document["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "slipway-sandbox"}
        assert path.endswith(f"/{document['metadata']['name']}")
