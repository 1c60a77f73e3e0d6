"""From a TargetGroupBinding, Services and EndpointSlices to targets: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
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
    pods: Mapping[Target, str] = field(default_factory=dict[Target, str])
    """The UID of the pod that is the target; of those that are pods."""
    served: bool = False
    """It has its Service, and is to stay."""
    problem: str = ""
    """Why it cannot be served; empty when it can."""


def wanted_targets(
    binding: Mapping[str, Any],
    services: Iterable[Mapping[str, Any]],
    slices: Iterable[Mapping[str, Any]],
    running: Collection[str] = (),
) -> Wanted:
    """The ready pods behind the binding's Service. All arguments are Kubernetes objects as JSON.

    `running`: UIDs of pods that are ready but for readiness gates, and so are targets, too.
    """
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
    found = {
        target: uid
        for item in slices
        if item["metadata"]["namespace"] == namespace
        and (item["metadata"].get("labels") or dict[str, str]()).get(SERVICE_LABEL) == reference["name"]
        and item.get("addressType") == "IPv4"
        for target, uid in _registrable(item, port_name, running)
    }
    pods = {target: uid for target, uid in found.items() if uid}
    return Wanted(binding=identity, target_group_arn=arn, targets=frozenset(found), pods=pods, served=True)


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _port_name(service: Mapping[str, Any], wanted: int | str) -> str | None:
    """The name that the Service's EndpointSlices use for the port: empty when the Service's only port has none."""
    ports: list[dict[str, Any]] = service["spec"].get("ports") or []
    for port in ports:
        if str(port["port"]) == str(wanted) or port.get("name") == wanted:
            return str(port.get("name") or "")
    return None


def _registrable(item: Mapping[str, Any], port_name: str, running: Collection[str]) -> Iterable[tuple[Target, str]]:
    """Each target with the UID of its pod."""
    listed: list[dict[str, Any]] = item.get("ports") or []
    ports = [int(port["port"]) for port in listed if (port.get("name") or "") == port_name and port.get("port")]
    endpoints: list[dict[str, Any]] = item.get("endpoints") or []
    for endpoint in endpoints:
        conditions: Mapping[str, Any] = endpoint.get("conditions") or dict[str, Any]()
        reference: Mapping[str, Any] = endpoint.get("targetRef") or dict[str, Any]()
        uid = str(reference.get("uid") or "")
        # Kubernetes: an unknown `ready` counts as ready. With publishNotReadyAddresses a terminating endpoint is "ready", too.
        if conditions.get("terminating") or (conditions.get("ready") is False and uid not in running):
            continue
        for address in endpoint["addresses"]:
            yield from ((Target(str(address), port), uid) for port in ports)
