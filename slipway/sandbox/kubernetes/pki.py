"""Certificates of a cluster: one authority for everything that speaks TLS, one for the aggregation layer, one key for service accounts.

Made once per cluster and kept: clients hold on to the authority that EKS's DescribeCluster told them.
"""

from __future__ import annotations

import base64
import json
import shutil
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from slipway.sandbox.certificates import (
    Identity,
    issue,
    load_authority,
    make_authority,
    private_pem,
    write_authority,
    write_identity,
    write_private,
)
from slipway.sandbox.kubernetes.layout import CLUSTER_DOMAIN, ClusterLayout, NodeLayout
from slipway.sandbox.ports import HOST_ADDRESS, LOOPBACK

SERVICE_ACCOUNT_KEY_BITS = 2048
ETCD_AUTHORITY = "etcd-ca.crt"
ETCD_CLIENT = "apiserver-etcd-client"
"""As kubeadm names it."""


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
    write_authority(scratch, "ca", authority)
    write_authority(scratch, "front-proxy-ca", front_proxy)
    services = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    ]
    write_identity(
        scratch,
        "apiserver",
        issue(
            authority,
            "kube-apiserver",
            names=["localhost", *services],
            addresses=["127.0.0.1", HOST_ADDRESS, layout.kubernetes_service_address],
        ),
    )
    write_identity(
        scratch,
        "apiserver-kubelet-client",
        issue(authority, "kube-apiserver-kubelet-client", organization="system:masters"),
    )
    write_identity(scratch, "front-proxy-client", issue(front_proxy, "front-proxy-client"))
    service_accounts = rsa.generate_private_key(public_exponent=65537, key_size=SERVICE_ACCOUNT_KEY_BITS)
    write_private(scratch / "service-accounts.key", private_pem(service_accounts))
    for user, organization, name in (
        ("system:kube-controller-manager", "", "controller-manager"),
        ("system:kube-scheduler", "", "scheduler"),
        ("slipway-sandbox-admin", "system:masters", "admin"),
    ):
        identity = issue(authority, user, organization=organization)
        text = kubeconfig(layout.endpoint, authority.pem, identity, cluster=layout.name, user=user)
        write_private(scratch / f"{name}.kubeconfig", text.encode())
    scratch.rename(layout.pki)


def copy_etcd_client(etcd_pki: Path, folder: Path) -> None:
    """The API server's credentials for etcd, beside its others: what etcd's own folder has, etcd's account may read."""
    for source, target in (
        ("ca.crt", ETCD_AUTHORITY),
        ("client.crt", f"{ETCD_CLIENT}.crt"),
        ("client.key", f"{ETCD_CLIENT}.key"),
    ):
        write_private(folder / target, (etcd_pki / source).read_bytes())


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
    write_identity(scratch, "kubelet", kubelet)
    for user, identity, name in (
        (f"system:node:{node.name}", kubelet, "kubelet"),
        ("system:kube-proxy", issue(authority, "system:kube-proxy"), "kube-proxy"),
    ):
        text = kubeconfig(node.cluster.node_endpoint, authority.pem, identity, cluster=node.cluster.name, user=user)
        write_private(scratch / f"{name}.kubeconfig", text.encode())
    scratch.rename(folder)
    return folder


def write_shared_identity(folder: Path, common_name: str, addresses: Sequence[str]) -> None:
    """An authority of its own in `folder` with one server certificate and one client certificate, all or none."""
    if folder.is_dir():
        return
    scratch = _scratch(folder)
    authority = make_authority(f"{common_name}-ca")
    write_authority(scratch, "ca", authority)
    write_identity(scratch, "server", issue(authority, common_name, addresses=addresses))
    write_identity(scratch, "client", issue(authority, f"{common_name}-client"))
    scratch.rename(folder)


def ensure_admission_pki(folder: Path) -> Path:
    """The certificate of the admission webhook, with an authority of its own, all or none; returns the folder."""
    write_shared_identity(folder, "admission-webhook", [LOOPBACK])
    return folder


def server_context(folder: Path) -> ssl.SSLContext:
    """The TLS side of the admission webhook."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ensure_admission_pki(folder) / "server.crt", folder / "server.key")
    return context


def _scratch(target: Path) -> Path:
    scratch = target.with_name(f".{target.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    return scratch
