"""Certificates: who they name, what they open, and that a second run keeps them."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.kubernetes.pki import ensure_cluster_pki, ensure_node_pki, load_authority
from slipway.sandbox.paths import SandboxPaths


@pytest.fixture
def cluster(tmp_path: Path) -> ClusterLayout:
    layout = ClusterLayout.of(SandboxPaths(tmp_path), "orders-dev", 2)
    ensure_cluster_pki(layout)
    return layout


def test_api_server_certificate_names_every_address_it_is_reached_by(cluster: ClusterLayout) -> None:
    certificate = x509.load_pem_x509_certificate((cluster.pki / "apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {
        "127.0.0.1",
        "10.87.0.1",
        "10.112.0.1",
    }
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    certificate.verify_directly_issued_by(load_authority(cluster.pki, "ca").certificate)


def test_keys_are_for_their_owner_alone(cluster: ClusterLayout) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in cluster.pki.iterdir()} == {0o600}


def test_kubelet_certificate_serves_and_calls_as_its_node(cluster: ClusterLayout) -> None:
    node = cluster.node(0)
    folder = ensure_node_pki(node)
    certificate = x509.load_pem_x509_certificate((folder / "kubelet.crt").read_bytes())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == f"system:node:{node.name}"
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_certificates_stay_the_same_when_made_again(cluster: ClusterLayout) -> None:
    before = (cluster.pki / "ca.crt").read_bytes()

    ensure_cluster_pki(cluster)

    assert (cluster.pki / "ca.crt").read_bytes() == before


def test_certificates_are_made_again_when_the_first_try_was_cut_short(tmp_path: Path) -> None:
    layout = ClusterLayout.of(SandboxPaths(tmp_path), "cut", 0)
    half = layout.pki.with_name(".pki.new")
    half.mkdir(parents=True)
    (half / "ca.crt").write_text("half")

    ensure_cluster_pki(layout)

    document = json.loads(layout.admin_kubeconfig.read_text())
    authority = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"])
    assert authority.startswith(b"-----BEGIN CERTIFICATE-----")
