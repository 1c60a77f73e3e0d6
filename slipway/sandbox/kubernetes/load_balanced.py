"""Services of type LoadBalancer: each gets an address of the cluster's own range, at which kube-proxy serves it.

In EKS a controller makes an AWS load balancer for each. Here the address leads to the cluster's first node: there is nothing between, and
nothing of it in the AWS API.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from kubernetes.client.exceptions import ApiException

from slipway.log import get_logger
from slipway.sandbox.following import CALL_TIMEOUT_SECONDS, ClusterFollower, Watched

CLASSES = frozenset({None, "", "service.k8s.aws/nlb", "eks.amazonaws.com/nlb"})
"""Classes of load balancer that are meant for EKS; a Service of another one waits for its own controller."""

log = get_logger(__name__)


class ServiceAddresses(ClusterFollower):
    """Gives and takes the addresses of one cluster. Who has which is in the Services' own status."""

    topic = "addresses of load-balanced Services"

    def __init__(self, cluster: str, kubeconfig: Path, addresses: ipaddress.IPv4Network) -> None:
        """Raises MachineError when the kubeconfig cannot be used."""
        super().__init__(cluster, kubeconfig)
        self._addresses = addresses

    def watched(self) -> list[Watched]:
        """Services."""
        return [Watched("services", self._core.list_service_for_all_namespaces)]

    def reconcile(self) -> None:
        """Give an address to each Service that is to have one, and take it from each that is not any more."""
        services = self.services()
        for service, address in changes(services, self._addresses):
            self._set(service["metadata"], address)
        self.withdraw_complaint("range")
        if (waiting := sum(is_balanced(service) for service in services) - self._addresses.num_addresses) > 0:
            self.complain("range", f"{waiting} Services have no address: {self._addresses} has no more")

    def _set(self, metadata: Mapping[str, str], address: str | None) -> None:
        ingress = [{"ip": address, "ipMode": "VIP"}] if address else []
        try:
            self._core.patch_namespaced_service_status(
                metadata["name"],
                metadata["namespace"],
                {"status": {"loadBalancer": {"ingress": ingress}}},
                _request_timeout=CALL_TIMEOUT_SECONDS,
            )
        except ApiException as error:
            if error.status != 404:
                raise
        name = f"{metadata['namespace']}/{metadata['name']}"
        log.info("address of a Service", cluster=self._cluster, service=name, address=address)


def changes(
    services: Sequence[Mapping[str, Any]], addresses: ipaddress.IPv4Network
) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """The Services whose address is to change: to a free one, or to none. Oldest first; the others keep what they have."""
    held: dict[str, str] = {}
    wanting: list[Mapping[str, Any]] = []
    for service in sorted(services, key=_age):
        mine = [ip for ip in _given(service) if ip and ipaddress.ip_address(ip) in addresses]
        if not is_balanced(service):
            if mine:
                yield service, None
        elif len(mine) == 1 and mine[0] not in held:
            held[mine[0]] = service["metadata"]["uid"]
        else:
            wanting.append(service)
    free = (str(address) for address in addresses if str(address) not in held)
    yield from zip(wanting, free, strict=False)


def is_balanced(service: Mapping[str, Any]) -> bool:
    """Whether the Service asks for a load balancer of EKS's kind, and is not going away."""
    spec: Mapping[str, Any] = service["spec"]
    wanted = spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in CLASSES
    return wanted and "deletionTimestamp" not in service["metadata"]


def _given(service: Mapping[str, Any]) -> list[str | None]:
    balancer: Mapping[str, Any] = (service.get("status") or {}).get("loadBalancer") or {}
    return [each.get("ip") for each in cast("list[dict[str, str]]", balancer.get("ingress") or [])]


def _age(service: Mapping[str, Any]) -> tuple[str, str]:
    metadata = service["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["uid"]
