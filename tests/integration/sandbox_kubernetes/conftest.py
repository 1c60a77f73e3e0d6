"""Makes this folder's kit importable and gives the tests one endpoint."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster_kit import FakeCluster
from endpoint_kit import Endpoint, FakeApiServer, endpoint_process, serving, write_kubeconfig

from slipway.sandbox.kubernetes.pki import write_shared_identity


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An endpoint before the fake API server, which takes only clients with a certificate of its own authority."""
    folder = tmp_path_factory.mktemp("endpoint")
    write_shared_identity(folder / "pki", "endpoint", ["127.0.0.1"])
    write_shared_identity(folder / "server", "fake", ["127.0.0.1"])
    server = FakeApiServer()
    tls = {
        "ssl_certfile": str(folder / "server/server.crt"),
        "ssl_keyfile": str(folder / "server/server.key"),
        "ssl_ca_certs": str(folder / "server/ca.crt"),
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
    }
    with serving(server.app(), **tls) as port, serving(server.app()) as webhook_port:
        write_kubeconfig(folder / "kubeconfig", port, folder / "server")
        with endpoint_process(folder / "pki", folder / "kubeconfig", webhook_port) as own_port:
            yield Endpoint(own_port, folder / "pki", server)


@pytest.fixture
def endpoint(running: Endpoint) -> Endpoint:
    """The endpoint, with nothing asked yet."""
    running.server.asked.clear()
    running.server.watch_left.clear()
    return running


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeCluster]:
    """The cluster behind the only context of `config`."""
    made = FakeCluster()
    pki = tmp_path / "existing"
    write_shared_identity(pki, "existing", ["127.0.0.1"])
    tls = {"ssl_certfile": str(pki / "server.crt"), "ssl_keyfile": str(pki / "server.key")}
    tls |= {"ssl_ca_certs": str(pki / "ca.crt")}
    with serving(made.app(), **tls, ssl_cert_reqs=ssl.CERT_REQUIRED) as port:
        write_kubeconfig(tmp_path / "config", port, pki)
        yield made
