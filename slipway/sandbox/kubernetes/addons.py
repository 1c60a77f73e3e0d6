"""What every cluster has from the start: roles for EKS access policies, DNS, the metrics that autoscaling needs, and webhooks for pods."""

from __future__ import annotations

import base64
from pathlib import Path
from string import Template

from slipway.sandbox.go_programs import Binaries
from slipway.sandbox.kubernetes.api import apply_manifests
from slipway.sandbox.kubernetes.containerd import IMAGES
from slipway.sandbox.kubernetes.layout import CLUSTER_DOMAIN, ClusterLayout
from slipway.sandbox.ports import ADMISSION_PORT, HOST_ADDRESS, LOOPBACK
from slipway.sandbox.resolvers import machine_nameservers

MANIFESTS_FOLDER = Path(__file__).parent / "manifests"


def render_access() -> str:
    """Bindings of the `eks:access:*` groups."""
    return (MANIFESTS_FOLDER / "access.yaml").read_text()


def render_coredns(layout: ClusterLayout, *, has_upstream: bool) -> str:
    """DNS of the cluster; without an upstream server it answers for the cluster's own names only."""
    return Template((MANIFESTS_FOLDER / "coredns.yaml").read_text()).substitute(
        image=IMAGES["coredns"],
        dns_address=layout.dns_address,
        cluster_domain=CLUSTER_DOMAIN,
        host_address=HOST_ADDRESS,
        forward="forward . /etc/resolv.conf" if has_upstream else "",
    )


def render_metrics_server() -> str:
    """The metrics API, aggregated."""
    text = (MANIFESTS_FOLDER / "metrics-server.yaml").read_text()
    return Template(text).substitute(image=IMAGES["metrics-server"])


def render_pod_identity(layout: ClusterLayout, authority_pem: bytes) -> str:
    """The webhook that gives pods their identity. `authority_pem`: of its certificate."""
    return Template((MANIFESTS_FOLDER / "pod-identity.yaml").read_text()).substitute(
        url=f"https://{LOOPBACK}:{ADMISSION_PORT}/pod-identity/{layout.name}",
        authority=base64.b64encode(authority_pem).decode(),
    )


def render_readiness_gates(layout: ClusterLayout, authority_pem: bytes) -> str:
    """The webhooks that have pods wait for load balancers. `authority_pem`: of their certificate."""
    return Template((MANIFESTS_FOLDER / "readiness-gates.yaml").read_text()).substitute(
        url=f"https://{LOOPBACK}:{ADMISSION_PORT}/readiness-gates",
        cluster=layout.name,
        authority=base64.b64encode(authority_pem).decode(),
    )


def render_addons(layout: ClusterLayout, admission_authority: bytes) -> str:
    """The manifests of all of them."""
    parts = [
        render_access(),
        render_coredns(layout, has_upstream=bool(machine_nameservers())),
        render_metrics_server(),
        render_pod_identity(layout, admission_authority),
        render_readiness_gates(layout, admission_authority),
    ]
    return "\n---\n".join(parts)


def apply_addons(layout: ClusterLayout, binaries: Binaries, manifests: str) -> None:
    """Bring all of them to what the manifests want; again is harmless."""
    apply_manifests(binaries.path("kubectl"), layout.admin_kubeconfig, manifests)
