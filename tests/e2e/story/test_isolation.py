"""What a pod of dev reaches beside staging and prod, found out by scanning from inside: its own environment, and nothing of the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from slipway.sandbox.ports import ADMISSION_PORT, AWS_PORT, HOST_ADDRESS, KUBELET_PORT
from slipway.sandbox.processes import ProcessTable
from tests.listening import PROBE, listening, machine_addresses

if TYPE_CHECKING:
    from story_kit import Demo, Slipway

ENVIRONMENTS = ("dev", "staging", "prod")
PORTS = (22, 53, 80, 443, 2379, 8080, 9090, KUBELET_PORT, ADMISSION_PORT)
"""Of nodes, pods and services: those of the orders service, and of what clusters run."""


def test_pod_of_dev_reaches_its_own_environment_and_the_aws_api_and_nothing_else(demo: Demo) -> None:
    slipway = demo.slipway
    own, *others = (_addresses(slipway, name) for name in ENVIRONMENTS)
    sockets = {(str(each.address), each.port) for each in listening(ProcessTable(slipway.paths))}
    machine = machine_addresses() - {"127.0.0.1", "::1"}  # which are the pod's own inside it
    link_local = {address for address in machine if address.startswith("fe80")}
    targets = {(address, port) for address in {*own, *(each for found in others for each in found)} for port in PORTS}
    targets |= {each for each in sockets if not each[0].startswith("127.")}
    targets |= {(address, port) for address in {*machine, HOST_ADDRESS} - link_local for _, port in sockets}
    # A link-local address is another machine's on each link; the pod has one link, to its node.
    targets |= {(f"{address.partition('%')[0]}%eth0", port) for address in link_local for _, port in sockets}

    reached = _scan(slipway, targets)

    databases = {name: _database(slipway, name) for name in ENVIRONMENTS}
    api = int(
        slipway.kubectl("dev", "config", "view", "--output", "jsonpath={.clusters[0].cluster.server}").rpartition(":")[
            2
        ]
    )
    assert {(HOST_ADDRESS, databases[name]) for name in ENVIRONMENTS} <= sockets
    expected = {(HOST_ADDRESS, port) for port in (AWS_PORT, api, databases["dev"])}
    assert {each for each in reached if each[0] not in own} == expected
    assert {address for address, port in reached if port == 8080} & own, "the scan finds the pods of its own service"


def _scan(slipway: Slipway, targets: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """The targets to which a pod of dev's service can connect."""
    pod = slipway.kubectl("dev", "get", "pods", "--field-selector", "status.phase=Running", "--output", "name").split()[
        0
    ]
    argv = ["exec", "-i", pod, "--", "python", "-c", PROBE]
    return {
        (address, port)
        for address, port in json.loads(slipway.kubectl("dev", *argv, given=json.dumps(sorted(targets))))
    }


def _addresses(slipway: Slipway, environment: str) -> set[str]:
    """Of an environment's nodes, pods and services."""
    found = json.loads(
        slipway.kubectl(environment, "get", "nodes,pods,services", "--all-namespaces", "--output", "json")
    )
    return {address for item in found["items"] for address in _of(item["spec"], item.get("status", {}))}


def _of(spec: dict[str, Any], status: dict[str, Any]) -> Iterator[str]:
    yield from (each["address"] for each in status.get("addresses", []) if each["type"] == "InternalIP")
    yield from (each["ip"] for each in status.get("podIPs", []))
    yield from (each for each in spec.get("clusterIPs", []) if each != "None")


def _database(slipway: Slipway, environment: str) -> int:
    """The port of an environment's database."""
    instances = slipway.client("rds").describe_db_instances()["DBInstances"]
    (port,) = [
        each["Endpoint"]["Port"]
        for each in instances
        if {"Key": "environment", "Value": environment} in each["TagList"]
    ]
    return port
