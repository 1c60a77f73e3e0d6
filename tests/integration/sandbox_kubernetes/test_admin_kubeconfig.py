"""The administrator's kubeconfig, used against a server with the API server's own certificate."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from slipway.sandbox.kubernetes.api import ApiServer
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.kubernetes.pki import ensure_cluster_pki
from slipway.sandbox.paths import SandboxPaths


class Handler(BaseHTTPRequestHandler):
    """An API server that is ready, and remembers who asked."""

    asked_by: Any = None

    def do_GET(self) -> None:
        Handler.asked_by = self.connection.getpeercert()["subject"]  # type: ignore[attr-defined]
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()


def test_admin_kubeconfig_opens_the_api_server_as_one_of_the_masters(tmp_path: Path) -> None:
    cluster = ClusterLayout.of(SandboxPaths(tmp_path), "orders-dev", 2)
    ensure_cluster_pki(cluster)
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cluster.pki / "ca.crt")
    trust.verify_mode = ssl.CERT_REQUIRED
    trust.load_cert_chain(cluster.pki / "apiserver.crt", cluster.pki / "apiserver.key")
    written = cluster.admin_kubeconfig.read_text()
    assert "https://127.0.0.1:6463" in written

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
        server.timeout = 10
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        cluster.admin_kubeconfig.write_text(written.replace(":6463", f":{server.server_port}"))
        ready = ApiServer(cluster.admin_kubeconfig).is_ready()
        serving.join()
    assert ready
    assert (("organizationName", "system:masters"),) in Handler.asked_by
