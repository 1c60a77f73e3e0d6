"""The image registry: docker-registry behind a small HAProxy that asks the daemon first where the registry alone cannot answer.

Three questions go through the daemon: manifests of `library/*` (a stand-in may have to be made), writing a manifest (ECR's immutable
tags), and what refers to an image (this registry does not know). All else, the layers above all, goes straight to the registry; so does
everything while the daemon is away.
"""

from __future__ import annotations

from pathlib import Path

import httpx

from slipway.sandbox.accounts import let_read, reachable
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import AWS_PORT, HOST_ADDRESS, REGISTRY_BACKEND_PORT, REGISTRY_PORT
from slipway.sandbox.processes import ProcessSpec, ProcessTable

ACCOUNT = "docker-registry"
REGISTRY_ADDRESS = f"127.0.0.1:{REGISTRY_PORT}"
BACKEND_URL = f"http://127.0.0.1:{REGISTRY_BACKEND_PORT}"
"""The registry itself, past the proxy; for the daemon only."""
MIRROR_ROUTE = "registry"
"""The daemon serves `/_slipway/registry/v2/...`."""

CONFIGURATION = """\
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: {folder}
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: true
      age: 24h
      interval: 24h
      dryrun: false
http:
  addr: 127.0.0.1:{port}
  relativeurls: true
"""

PROXY_CONFIGURATION = """\
global
    maxconn 512
    user haproxy
    group haproxy
defaults
    mode http
    maxconn 512
    timeout connect 2s
    timeout client 15m
    timeout server 15m
frontend images
    bind 127.0.0.1:{registry_port}
    bind {host_address}:{registry_port}
    http-request deny if {{ req.hdr(origin) -m found }}
    acl manifest path_sub /manifests/
    acl library path_beg /v2/library/
    acl reading method GET HEAD
    acl referrers path_sub /referrers/
    acl daemon_is_up nbsrv(daemon) gt 0
    use_backend daemon if manifest library reading daemon_is_up
    use_backend daemon if manifest {{ method PUT }} daemon_is_up
    use_backend daemon if referrers {{ method GET }} daemon_is_up
    default_backend registry
backend registry
    server registry 127.0.0.1:{backend_port}
backend daemon
    http-request set-path /_slipway/{route}%[path]
    http-request set-header Host 127.0.0.1:{aws_port}
    server daemon 127.0.0.1:{aws_port} check inter 1s fall 1 rise 1
"""


class Registry:
    """The registry's two processes."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable) -> None:
        self._folder = paths.sandbox / "registry"
        self._processes = processes

    def start(self) -> None:
        """Run both; returns when the registry answers on its public address."""
        self._folder.mkdir(parents=True, exist_ok=True)
        seen = reachable(self._folder)
        text = CONFIGURATION.format(folder=seen / "images", port=REGISTRY_BACKEND_PORT)
        for path in (self._folder, self._write("registry.yml", text)):
            let_read(path, ACCOUNT)
        proxy = self._write(
            "haproxy.cfg",
            PROXY_CONFIGURATION.format(
                registry_port=REGISTRY_PORT,
                host_address=HOST_ADDRESS,
                backend_port=REGISTRY_BACKEND_PORT,
                aws_port=AWS_PORT,
                route=MIRROR_ROUTE,
            ),
        )
        self._processes.ensure(
            ProcessSpec(
                name="registry",
                argv=["docker-registry", "serve", str(seen / "registry.yml")],
                account=ACCOUNT,
                folders=[self._folder / "images"],
                cwd=Path("/"),
                ready=lambda: _answers(BACKEND_URL),
                ready_timeout_seconds=20,
            )
        )
        self._processes.ensure(
            ProcessSpec(
                name="registry-proxy",
                argv=["haproxy", "-db", "-f", str(proxy)],
                ready=lambda: _answers(f"http://{REGISTRY_ADDRESS}"),
                ready_timeout_seconds=20,
            )
        )

    def stop(self) -> None:
        """End both; images stay."""
        for name in ("registry-proxy", "registry"):
            self._processes.stop(name)

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path


def _answers(url: str) -> bool:
    return httpx.get(f"{url}/v2/", timeout=2).status_code == 200
