"""One etcd for all clusters, each under a prefix of its own. A single member: a sandbox has no quorum to lose. Data survives restarts."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import httpx

from slipway.sandbox.accounts import let_read, reachable, unreachable
from slipway.sandbox.kubernetes import supervise
from slipway.sandbox.kubernetes.layout import ClusterLayout, kubernetes_folder
from slipway.sandbox.kubernetes.pki import write_shared_identity
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import ETCD_PORT
from slipway.sandbox.processes import ProcessSpec, ProcessTable

PROCESS = "etcd"
REQUEST_TIMEOUT_SECONDS = 10
URL = f"https://127.0.0.1:{ETCD_PORT}"
PEER = "unix://peer:0"
"""A socket in its data folder: there is no other member to talk to."""
ACCOUNT = "etcd"


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
        for path in (self._folder, self.pki, *(self.pki / name for name in ("ca.crt", "server.crt", "server.key"))):
            let_read(path, ACCOUNT)
        folder = reachable(self._folder)
        argv = [
            "etcd",
            "--name=slipway",
            f"--data-dir={folder / 'data'}",
            f"--listen-client-urls={URL}",
            f"--advertise-client-urls={URL}",
            f"--listen-peer-urls={PEER}",
            f"--initial-advertise-peer-urls={PEER}",
            f"--initial-cluster=slipway={PEER}",
            "--client-cert-auth",
            f"--trusted-ca-file={folder / 'pki' / 'ca.crt'}",
            f"--cert-file={folder / 'pki' / 'server.crt'}",
            f"--key-file={folder / 'pki' / 'server.key'}",
            # Without it the history of three clusters grows until the store refuses writes.
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=30m",
            # A member alone waits this long before it elects itself, at every start; it can lose no election to anybody.
            "--heartbeat-interval=50",
            "--election-timeout=300",
            "--logger=zap",
            "--log-level=error",
        ]
        spec = ProcessSpec(
            name=PROCESS,
            argv=argv,
            account=ACCOUNT,
            folders=[self._folder / "data"],
            cwd=folder / "data",
            ready=self._healthy,
            ready_timeout_seconds=60,
        )
        supervise.ensure(self._processes, spec, ports=(ETCD_PORT,))

    def stop(self) -> None:
        """End it; its data stays."""
        self._processes.stop(PROCESS)
        unreachable(self._folder)

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
