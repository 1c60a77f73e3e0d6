"""One etcd for all clusters, each under a prefix of its own. A single member: a sandbox has no quorum to lose. Data survives restarts."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import httpx

from slipway.sandbox.kubernetes import supervise
from slipway.sandbox.kubernetes.layout import ETCD_CLIENT_PORT, ETCD_PEER_PORT, ClusterLayout, kubernetes_folder
from slipway.sandbox.kubernetes.pki import write_shared_identity
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessSpec, ProcessTable

PROCESS = "etcd"
REQUEST_TIMEOUT_SECONDS = 10
URL = f"https://127.0.0.1:{ETCD_CLIENT_PORT}"


class Etcd:
    """The shared store. Only holders of its client certificate are let in: it holds every Secret of every cluster."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable) -> None:
        self._folder = kubernetes_folder(paths) / "etcd"
        self._processes = processes

    @property
    def pki(self) -> Path:
        """Authority, server and client certificate."""
        return self._folder / "pki"

    def start(self) -> None:
        """Run it, and wait until it answers."""
        write_shared_identity(self.pki, "slipway-etcd", ["127.0.0.1"])
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)
        peer = f"http://127.0.0.1:{ETCD_PEER_PORT}"
        argv = [
            "etcd",
            "--name=slipway",
            f"--data-dir={data}",
            f"--listen-client-urls={URL}",
            f"--advertise-client-urls={URL}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=slipway={peer}",
            "--client-cert-auth",
            f"--trusted-ca-file={self.pki / 'ca.crt'}",
            f"--cert-file={self.pki / 'server.crt'}",
            f"--key-file={self.pki / 'server.key'}",
            # Without it the history of three clusters grows until the store refuses writes.
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=30m",
            # A member alone waits this long before it elects itself, at every start; it can lose no election to anybody.
            "--heartbeat-interval=50",
            "--election-timeout=300",
            "--logger=zap",
            "--log-level=error",
        ]
        spec = ProcessSpec(name=PROCESS, argv=argv, ready=self._healthy, ready_timeout_seconds=60)
        supervise.ensure(self._processes, spec, ports=(ETCD_CLIENT_PORT, ETCD_PEER_PORT))

    def stop(self) -> None:
        """End it; its data stays."""
        self._processes.stop(PROCESS)

    def forget(self, layout: ClusterLayout) -> None:
        """Delete all keys of a cluster."""
        prefix = f"{layout.etcd_prefix}/"
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with self._client() as client:
            body = {"key": _b64(prefix), "range_end": _b64(end)}
            client.post("/v3/kv/deleterange", json=body).raise_for_status()

    def _healthy(self) -> bool:
        with self._client() as client:
            return client.get("/health").json().get("health") == "true"

    def _client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "client.crt", self.pki / "client.key")
        return httpx.Client(base_url=URL, verify=context, timeout=REQUEST_TIMEOUT_SECONDS, trust_env=False)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
