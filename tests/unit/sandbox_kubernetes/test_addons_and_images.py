"""Manifests as they are applied, images as they are imported."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import yaml

from slipway.sandbox.kubernetes.addons import (
    render_access,
    render_coredns,
    render_metrics_server,
    render_pod_identity,
    render_readiness_gates,
)
from slipway.sandbox.kubernetes.images import write_scratch_image
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.resolvers import nameservers

CLUSTER = ClusterLayout.of(SandboxPaths(Path("/home/dev/.slipway")), "dev", 1)


def test_access_policies_are_bound_to_their_groups() -> None:
    bindings = [found for found in yaml.safe_load_all(render_access()) if found["kind"] == "ClusterRoleBinding"]

    assert {found["subjects"][0]["name"]: found["roleRef"]["name"] for found in bindings} == {
        "eks:access:cluster-admin": "cluster-admin",
        "eks:access:admin": "admin",
        "eks:access:edit": "edit",
        "eks:access:view": "view",
        "eks:access:admin-view": "eks:access:admin-view",
    }


def test_dns_service_has_the_address_that_pods_are_told() -> None:
    documents = list(yaml.safe_load_all(render_coredns(CLUSTER, has_upstream=True)))
    service = next(found for found in documents if found["kind"] == "Service")
    corefile = next(found for found in documents if found["kind"] == "ConfigMap")["data"]["Corefile"]

    assert service["spec"]["clusterIP"] == CLUSTER.dns_address == "10.111.0.10"
    assert "10.87.0.1 host.slipway.internal" in corefile
    assert "forward . /etc/resolv.conf" in corefile


def test_dns_forwards_nothing_when_the_machine_has_no_resolver() -> None:
    assert "forward" not in render_coredns(CLUSTER, has_upstream=False)


def test_metrics_server_verifies_the_kubelets() -> None:
    documents = list(yaml.safe_load_all(render_metrics_server()))
    deployment = next(found for found in documents if found["kind"] == "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]

    assert "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt" in arguments
    assert not [argument for argument in arguments if "insecure" in argument]


def test_webhook_of_pod_identity_asks_the_machine_about_this_cluster() -> None:
    (webhook,) = yaml.safe_load(render_pod_identity(CLUSTER, b"PEM"))["webhooks"]

    assert webhook["clientConfig"] == {"url": "https://127.0.0.1:4569/pod-identity/dev", "caBundle": "UEVN"}
    assert (webhook["failurePolicy"], webhook["rules"][0]["operations"]) == ("Ignore", ["CREATE"])


def test_webhooks_of_readiness_gates_are_asked_about_namespaces_with_their_label() -> None:
    webhooks = yaml.safe_load(render_readiness_gates(CLUSTER, b"PEM"))["webhooks"]

    assert {hook["clientConfig"]["url"]: hook["namespaceSelector"] for hook in webhooks} == {
        f"https://127.0.0.1:4569/readiness-gates/{group}/dev": {
            "matchLabels": {f"{group}/pod-readiness-gate-inject": "enabled"}
        }
        for group in ("elbv2.k8s.aws", "eks.amazonaws.com")
    }
    assert {hook["failurePolicy"] for hook in webhooks} == {"Ignore"}


def test_image_is_the_same_byte_for_byte_when_made_again(tmp_path: Path) -> None:
    binary = tmp_path / "program"
    binary.write_bytes(b"ELF")
    archives = [tmp_path / "one.tar", tmp_path / "two.tar"]

    for archive in archives:
        write_scratch_image(archive, "local/program:1", {"/program": binary}, entrypoint=["/program"], user="1:1")

    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(tar.extractfile(manifest[0]["Config"]))  # type: ignore[arg-type]
    assert manifest[0]["RepoTags"] == ["local/program:1"]
    assert (config["config"]["Entrypoint"], config["config"]["User"]) == (["/program"], "1:1")


def test_resolvers_on_loopback_and_links_are_left_out() -> None:
    text = "# made by hand\nsearch example\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 192.0.2.53\n"

    assert nameservers(text) == ["192.0.2.53"]
