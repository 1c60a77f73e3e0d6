"""API server, controller manager and scheduler of one cluster, as processes of the host, under an account of their own.

The account can read what the three need, and nothing else of the cluster: not the administrator's kubeconfig, not the nodes' folders.
All clusters share it."""

from __future__ import annotations

import json
from pathlib import Path

from slipway.sandbox.accounts import ensure_account, let_read, reachable, unreachable
from slipway.sandbox.go_programs import Binaries
from slipway.sandbox.kubernetes import supervise
from slipway.sandbox.kubernetes.api import ApiServer
from slipway.sandbox.kubernetes.etcd import URL as ETCD_URL
from slipway.sandbox.kubernetes.etcd import Etcd
from slipway.sandbox.kubernetes.layout import CLUSTER_DOMAIN, ClusterLayout
from slipway.sandbox.kubernetes.pki import ETCD_AUTHORITY, ETCD_CLIENT, copy_etcd_client, ensure_cluster_pki
from slipway.sandbox.ports import HOST_ADDRESS
from slipway.sandbox.processes import ProcessSpec, ProcessTable

READY_TIMEOUT_SECONDS = 180
TOKEN_CACHE_SECONDS = 2
"""How long an answer of the token webhook holds, refusals included: a new access entry must work at once."""
ACCOUNT = "slipway-kubernetes"
READABLE = (
    *(f"{name}.{kind}" for name in ("ca", "apiserver", "apiserver-kubelet-client") for kind in ("crt", "key")),
    *(f"{name}.{kind}" for name in ("front-proxy-client", ETCD_CLIENT) for kind in ("crt", "key")),
    "front-proxy-ca.crt",
    ETCD_AUTHORITY,
    "service-accounts.key",
    "controller-manager.kubeconfig",
    "scheduler.kubeconfig",
)
"""Files of the cluster's PKI. The controller manager signs certificate requests with the authority's key."""
WEBHOOK = "token-webhook.kubeconfig"
PROGRAMS = ("kube-scheduler", "kube-controller-manager", "kube-apiserver")
"""In the order of stopping."""
CONTROLLERS_OFF = (
    "cloud-node-lifecycle-controller",
    "service-lb-controller",
    "node-route-controller",
    "node-ipam-controller",
    "persistentvolume-attach-detach-controller",
    "bootstrap-signer-controller",
    "token-cleaner-controller",
)
"""There is no cloud under this cluster, ranges of addresses are fixed by the layout, and no node joins by token."""


class ControlPlane:
    """Starts and stops one cluster's control plane."""

    def __init__(self, layout: ClusterLayout, etcd: Etcd, binaries: Binaries, processes: ProcessTable) -> None:
        self._layout = layout
        self._etcd = etcd
        self._binaries = binaries
        self._processes = processes

    def start(self, token_webhook_url: str) -> None:
        """Run all three, and wait until the API server is ready."""
        pki = self._hand_out(token_webhook_url)
        api = ApiServer(self._layout.admin_kubeconfig)
        spec = ProcessSpec(
            name=self._layout.process("kube-apiserver"),
            argv=self._api_server_argv(pki),
            account=ACCOUNT,
            cwd=Path("/"),
            ready=api.is_ready,
            ready_timeout_seconds=READY_TIMEOUT_SECONDS,
        )
        supervise.ensure(self._processes, spec, ports=(self._layout.api_port,))
        for program, argv in (
            ("kube-controller-manager", self._controller_manager_argv(pki)),
            ("kube-scheduler", self._scheduler_argv(pki)),
        ):
            spec = ProcessSpec(name=self._layout.process(program), argv=argv, account=ACCOUNT, cwd=Path("/"))
            supervise.ensure(self._processes, spec)

    def stop(self) -> None:
        """End all three; what they know stays in etcd."""
        for program in PROGRAMS:
            self._processes.stop(self._layout.process(program), timeout_seconds=5)
        unreachable(self._layout.pki)

    def _program(self, name: str) -> str:
        path = self._binaries.path(name)
        return str(reachable(path.parent) / path.name)

    def _hand_out(self, token_webhook_url: str) -> Path:
        """Make the credentials, let the account read its own of them, and return their folder as the account sees it."""
        pki = self._layout.pki
        ensure_cluster_pki(self._layout)
        copy_etcd_client(self._etcd.pki, pki)
        self._write_webhook_config(pki / WEBHOOK, token_webhook_url)
        ensure_account(ACCOUNT)
        for path in (pki, pki / WEBHOOK, *(pki / name for name in READABLE)):
            let_read(path, ACCOUNT)
        return reachable(pki)

    def _write_webhook_config(self, path: Path, url: str) -> None:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "token-review",
            "clusters": [{"name": "token-review", "cluster": {"server": url}}],
            "users": [{"name": "kube-apiserver"}],
            "contexts": [{"name": "token-review", "context": {"cluster": "token-review", "user": "kube-apiserver"}}],
        }
        path.write_text(json.dumps(document, indent=1))

    def _api_server_argv(self, pki: Path) -> list[str]:
        layout = self._layout
        return [
            self._program("kube-apiserver"),
            f"--bind-address={HOST_ADDRESS}",
            f"--secure-port={layout.api_port}",
            f"--advertise-address={HOST_ADDRESS}",
            f"--etcd-servers={ETCD_URL}",
            f"--etcd-prefix={layout.etcd_prefix}",
            f"--etcd-cafile={pki / ETCD_AUTHORITY}",
            f"--etcd-certfile={pki / ETCD_CLIENT}.crt",
            f"--etcd-keyfile={pki / ETCD_CLIENT}.key",
            f"--service-cluster-ip-range={layout.service_network}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
            f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
            f"--service-account-key-file={pki / 'service-accounts.key'}",
            f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
            f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
            f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
            # The host has no kube-proxy: aggregated APIs and admission webhooks are called on their pods' addresses.
            "--enable-aggregator-routing=true",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--authentication-token-webhook-config-file={pki / WEBHOOK}",
            "--authentication-token-webhook-version=v1",
            f"--authentication-token-webhook-cache-ttl={TOKEN_CACHE_SECONDS}s",
            "--allow-privileged=true",
            # Both read every kind again and again, and wait in vain: this etcd tells no progress to quiet kinds, and it is shared.
            "--feature-gates=DetectCacheInconsistency=false,SizeBasedListCostEstimate=false",
            "--profiling=false",
        ]

    def _controller_manager_argv(self, pki: Path) -> list[str]:
        return [
            self._program("kube-controller-manager"),
            f"--kubeconfig={pki / 'controller-manager.kubeconfig'}",
            "--leader-elect=false",
            "--secure-port=0",
            f"--controllers={','.join(['*', *(f'-{name}' for name in CONTROLLERS_OFF)])}",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki / 'service-accounts.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            "--allocate-node-cidrs=false",
            "--horizontal-pod-autoscaler-sync-period=5s",
            # Upstream waits 5 minutes for a new pod's CPU to calm down; sandbox pods live for minutes.
            "--horizontal-pod-autoscaler-cpu-initialization-period=30s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=10s",
            "--profiling=false",
        ]

    def _scheduler_argv(self, pki: Path) -> list[str]:
        return [
            self._program("kube-scheduler"),
            f"--kubeconfig={pki / 'scheduler.kubeconfig'}",
            "--leader-elect=false",
            "--secure-port=0",
            "--profiling=false",
        ]
