"""Certificates of a cluster: one authority for everything that speaks TLS, one for the aggregation layer, one key for service accounts.

Made once per cluster and kept: clients hold on to the authority that EKS's DescribeCluster told them.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from slipway.sandbox.kubernetes.layout import CLUSTER_DOMAIN, ClusterLayout, NodeLayout
from slipway.sandbox.ports import HOST_ADDRESS

VALID_DAYS = 3650
CLOCK_SKEW = datetime.timedelta(hours=1)
SERVICE_ACCOUNT_KEY_BITS = 2048
ETCD_AUTHORITY = "etcd-ca.crt"
ETCD_CLIENT = "apiserver-etcd-client"
"""As kubeadm names it."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority that can still sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, in PEM."""

    certificate: bytes
    key: bytes


def make_authority(common_name: str) -> Authority:
    """A new self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(
    authority: Authority,
    common_name: str,
    *,
    organization: str = "",
    names: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> Identity:
    """A certificate for a client and, when it has names or addresses, for a server too.

    Kubernetes reads the common name as the user and the organization as the group.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    builder = (
        _builder(x509.Name(attributes), authority.certificate.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.certificate.public_key()),  # pyright: ignore[reportArgumentType]
            critical=False,
        )
    )
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if names or addresses:
        alternatives = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    certificate = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False).sign(
        authority.key, hashes.SHA256()
    )
    return Identity(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
    )


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def kubeconfig(server: str, authority_pem: bytes, identity: Identity, *, cluster: str, user: str) -> str:
    """A kubeconfig with everything inside; JSON, which every YAML reader reads."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [
            {"name": cluster, "cluster": {"server": server, "certificate-authority-data": _b64(authority_pem)}}
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _b64(identity.certificate),
                    "client-key-data": _b64(identity.key),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
    }
    return json.dumps(document, indent=1)


def _b64(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def ensure_cluster_pki(layout: ClusterLayout) -> None:
    """Make the cluster's certificates and kubeconfigs, all or none."""
    if layout.pki.is_dir():
        return
    scratch = _scratch(layout.pki)
    authority = make_authority(f"{layout.name}-ca")
    front_proxy = make_authority(f"{layout.name}-front-proxy-ca")
    _write_authority(scratch, "ca", authority)
    _write_authority(scratch, "front-proxy-ca", front_proxy)
    services = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    ]
    _write_identity(
        scratch,
        "apiserver",
        issue(
            authority,
            "kube-apiserver",
            names=["localhost", *services],
            addresses=["127.0.0.1", HOST_ADDRESS, layout.kubernetes_service_address],
        ),
    )
    _write_identity(
        scratch,
        "apiserver-kubelet-client",
        issue(authority, "kube-apiserver-kubelet-client", organization="system:masters"),
    )
    _write_identity(scratch, "front-proxy-client", issue(front_proxy, "front-proxy-client"))
    service_accounts = rsa.generate_private_key(public_exponent=65537, key_size=SERVICE_ACCOUNT_KEY_BITS)
    _write(scratch / "service-accounts.key", _private_pem(service_accounts))
    for user, organization, name in (
        ("system:kube-controller-manager", "", "controller-manager"),
        ("system:kube-scheduler", "", "scheduler"),
        ("slipway-sandbox-admin", "system:masters", "admin"),
    ):
        identity = issue(authority, user, organization=organization)
        text = kubeconfig(layout.endpoint, authority.pem, identity, cluster=layout.name, user=user)
        _write(scratch / f"{name}.kubeconfig", text.encode())
    scratch.rename(layout.pki)


def copy_etcd_client(etcd_pki: Path, folder: Path) -> None:
    """The API server's credentials for etcd, beside its others: what etcd's own folder has, etcd's account may read."""
    for source, target in (
        ("ca.crt", ETCD_AUTHORITY),
        ("client.crt", f"{ETCD_CLIENT}.crt"),
        ("client.key", f"{ETCD_CLIENT}.key"),
    ):
        _write(folder / target, (etcd_pki / source).read_bytes())


def ensure_node_pki(node: NodeLayout) -> Path:
    """Make the node's certificate and the kubeconfigs of kubelet and kube-proxy, all or none; returns their folder."""
    folder = node.folder / "pki"
    if folder.is_dir():
        return folder
    scratch = _scratch(folder)
    authority = load_authority(node.cluster.pki, "ca")
    kubelet = issue(
        authority,
        f"system:node:{node.name}",
        organization="system:nodes",
        names=[node.name],
        addresses=[node.address, "127.0.0.1"],
    )
    _write_identity(scratch, "kubelet", kubelet)
    for user, identity, name in (
        (f"system:node:{node.name}", kubelet, "kubelet"),
        ("system:kube-proxy", issue(authority, "system:kube-proxy"), "kube-proxy"),
    ):
        text = kubeconfig(node.cluster.node_endpoint, authority.pem, identity, cluster=node.cluster.name, user=user)
        _write(scratch / f"{name}.kubeconfig", text.encode())
    scratch.rename(folder)
    return folder


def load_authority(folder: Path, name: str) -> Authority:
    """An authority written before."""
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{folder / name}.key is not an elliptic-curve key")
    return Authority(x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes()), key)


def write_shared_identity(folder: Path, common_name: str, addresses: Sequence[str]) -> None:
    """An authority of its own in `folder` with one server certificate and one client certificate, all or none."""
    if folder.is_dir():
        return
    scratch = _scratch(folder)
    authority = make_authority(f"{common_name}-ca")
    _write_authority(scratch, "ca", authority)
    _write_identity(scratch, "server", issue(authority, common_name, addresses=addresses))
    _write_identity(scratch, "client", issue(authority, f"{common_name}-client"))
    scratch.rename(folder)


def _scratch(target: Path) -> Path:
    scratch = target.with_name(f".{target.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    return scratch


def _write_authority(folder: Path, name: str, authority: Authority) -> None:
    _write(folder / f"{name}.crt", authority.pem)
    _write(folder / f"{name}.key", _private_pem(authority.key))


def _write_identity(folder: Path, name: str, identity: Identity) -> None:
    _write(folder / f"{name}.crt", identity.certificate)
    _write(folder / f"{name}.key", identity.key)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
