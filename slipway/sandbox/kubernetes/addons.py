"""What every cluster runs from the start: roles for EKS access policies, DNS, and the metrics that autoscaling needs."""

from __future__ import annotations

from pathlib import Path
from string import Template

from slipway.sandbox.go_programs import Binaries
from slipway.sandbox.kubernetes import network
from slipway.sandbox.kubernetes.api import apply_manifests
from slipway.sandbox.kubernetes.containerd import IMAGES
from slipway.sandbox.kubernetes.layout import CLUSTER_DOMAIN, ClusterLayout
from slipway.sandbox.kubernetes.node import resolver_source
from slipway.sandbox.ports import HOST_ADDRESS

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


def render_addons(layout: ClusterLayout) -> str:
    """The manifests of all of them."""
    has_upstream = bool(network.resolver_lines(resolver_source()))
    parts = [render_access(), render_coredns(layout, has_upstream=has_upstream), render_metrics_server()]
    return "\n---\n".join(parts)


def apply_addons(layout: ClusterLayout, binaries: Binaries, manifests: str) -> None:
    """Bring all of them to what the manifests want; again is harmless."""
    apply_manifests(binaries.path("kubectl"), layout.admin_kubeconfig, manifests)
