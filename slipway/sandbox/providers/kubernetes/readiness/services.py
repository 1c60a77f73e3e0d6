"""Services and Ingresses."""

from __future__ import annotations

from typing import Any, cast

from slipway.sandbox.providers.kubernetes.objects import KubernetesObject, metadata_of, name_of
from slipway.sandbox.providers.kubernetes.readiness.seen import READY, Readiness, Seen, at, title

# A Service that selects no pod is as ready as it can be, but its pods may only just be on their way: pulumi-kubernetes gives them 10 s
# from the last change. After an update the endpoints were there before, and the controller answers within a second.
SETTLE_AFTER_CREATE_SECONDS = 10
SETTLE_AFTER_UPDATE_SECONDS = 2
_SERVICE_NAME = "kubernetes.io/service-name"
_NO_PODS = "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match labels on any Pods"
_NO_ADDRESS = "Service was not allocated an IP address; does your cloud provider support this?"


def check_service(seen: Seen) -> Readiness:
    """It has its address if it is to have one, and none of the pods it selects is still starting."""
    service = seen.live
    spec_type = at(service, "spec", "type", default="ClusterIP")
    has_address = spec_type != "LoadBalancer" or bool(at(service, "status", "loadBalancer", "ingress"))
    targets_pods = (
        spec_type != "ExternalName" and at(service, "spec", "clusterIP") != "None" and at(service, "spec", "selector")
    )
    ready, pending = _endpoints(seen) if targets_pods else (1, 0)
    settle = SETTLE_AFTER_UPDATE_SECONDS if seen.is_update else SETTLE_AFTER_CREATE_SECONDS
    settled = ready > 0 or seen.quiet_seconds >= settle
    if has_address and settled and pending == 0:
        return READY
    reasons: list[str] = []
    if ready == 0 or pending:
        reasons.append(_NO_PODS)
    if not has_address:
        reasons.append(_NO_ADDRESS)
    message = (
        f"Attempting to allocate IP address to Service {title(service)}"
        if settled and not pending
        else f"Finding Pods to direct traffic to ({ready} ready, {pending} starting)"
    )
    return Readiness(ready=False, message=message, reasons=tuple(reasons))


def _endpoints(seen: Seen) -> tuple[int, int]:
    ready = pending = 0
    for piece in seen.related["EndpointSlice"].objects():
        if at(metadata_of(piece), "labels", _SERVICE_NAME) != name_of(seen.live):
            continue
        for endpoint in cast("list[dict[str, Any]]", piece.get("endpoints") or []):
            if at(endpoint, "conditions", "ready", default=True):
                ready += 1
            elif not at(endpoint, "conditions", "terminating", default=False):
                pending += 1
    return ready, pending


def check_ingress(seen: Seen) -> Readiness:
    """It has an address, and every Service its rules name exists."""
    ingress = seen.live
    known = {name_of(service) for service in seen.related["Service"].objects()}
    missing = [path for path, service in _backends(ingress) if service not in known]
    has_address = bool(at(ingress, "status", "loadBalancer", "ingress"))
    if has_address and (not missing or seen.quiet_seconds >= SETTLE_AFTER_CREATE_SECONDS):
        return READY
    reasons = ["Ingress has at least one rule with an unavailable target endpoint."] if missing else []
    reasons += [f"No matching service found for ingress rule: {path}" for path in missing]
    if not has_address:
        reasons.append("Ingress .status.loadBalancer field was not updated with a hostname/IP address.")
    message = (
        f"Waiting for Ingress {title(ingress)} to be given an address"
        if not missing
        else "Finding a matching service for each path"
    )
    return Readiness(ready=False, message=message, reasons=tuple(reasons))


def _backends(ingress: KubernetesObject) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for rule in cast("list[dict[str, Any]]", at(ingress, "spec", "rules", default=[])):
        for path in cast("list[dict[str, Any]]", at(rule, "http", "paths", default=[])):
            service = at(path, "backend", "service", "name")
            if isinstance(service, str):
                found.append((f'"{rule.get("host", "")}{path.get("path", "")}" -> "{service}"', service))
    return found
