"""From a TargetGroupBinding, Services and EndpointSlices to targets: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.sandbox.traffic.model import Target

SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What one binding asks for."""

    binding: str
    """`namespace/name`."""
    target_group_arn: str
    targets: frozenset[Target] = frozenset()
    problem: str = ""
    """Why it cannot be served; empty when it can."""


def wanted_targets(
    binding: Mapping[str, Any], services: Iterable[Mapping[str, Any]], slices: Iterable[Mapping[str, Any]]
) -> Wanted:
    """The ready pods behind the binding's Service. All arguments are Kubernetes objects as JSON."""
    metadata, spec = binding["metadata"], binding["spec"]
    namespace, reference = metadata["namespace"], spec["serviceRef"]
    identity, arn = f"{namespace}/{metadata['name']}", spec["targetGroupARN"]
    service = next((item for item in services if _key(item) == (namespace, reference["name"])), None)
    if metadata.get("deletionTimestamp"):
        return Wanted(binding=identity, target_group_arn=arn)
    if service is None:
        problem = f"there is no Service {namespace}/{reference['name']}"
        return Wanted(binding=identity, target_group_arn=arn, problem=problem)
    port_name = _port_name(service, reference["port"])
    if port_name is None:
        problem = f"the Service {namespace}/{reference['name']} has no port {reference['port']}"
        return Wanted(binding=identity, target_group_arn=arn, problem=problem)
    targets = frozenset(
        target
        for item in slices
        if item["metadata"]["namespace"] == namespace
        and (item["metadata"].get("labels") or dict[str, str]()).get(SERVICE_LABEL) == reference["name"]
        and item.get("addressType") == "IPv4"
        for target in _ready_targets(item, port_name)
    )
    return Wanted(binding=identity, target_group_arn=arn, targets=targets)


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _port_name(service: Mapping[str, Any], wanted: int | str) -> str | None:
    """The name that the Service's EndpointSlices use for the port: empty when the Service's only port has none."""
    ports: list[dict[str, Any]] = service["spec"].get("ports") or []
    for port in ports:
        if str(port["port"]) == str(wanted) or port.get("name") == wanted:
            return str(port.get("name") or "")
    return None


def _ready_targets(item: Mapping[str, Any], port_name: str) -> Iterable[Target]:
    listed: list[dict[str, Any]] = item.get("ports") or []
    ports = [int(port["port"]) for port in listed if (port.get("name") or "") == port_name and port.get("port")]
    endpoints: list[dict[str, Any]] = item.get("endpoints") or []
    for endpoint in endpoints:
        conditions: Mapping[str, Any] = endpoint.get("conditions") or dict[str, Any]()
        # Kubernetes: an unknown `ready` counts as ready. With publishNotReadyAddresses a terminating endpoint is "ready", too.
        if conditions.get("ready") is False or conditions.get("terminating"):
            continue
        for address in endpoint["addresses"]:
            yield from (Target(str(address), port) for port in ports)
