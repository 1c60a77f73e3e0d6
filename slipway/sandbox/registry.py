"""The image registry: docker-registry behind a small HAProxy that checks credentials, and asks the daemon where the registry cannot answer.

Every request needs credentials: a push token, or the nodes' to pull. The registry itself listens on a socket that its own account and
root open only. What a caller other than the sandbox's owner asks goes to the daemon, which knows the caller's rights: all but layers, by
their digest, and what follows the beginning of an upload, of which the registry itself tells for which repository it was begun.
Three questions go through the daemon: manifests of `library/*` (a stand-in may have to be made), writing a manifest under a tag (ECR's
immutable tags), and what refers to an image (this registry does not know). All else, the layers above all, goes straight to the registry;
so does everything while the daemon is away.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx

from slipway.sandbox.accounts import let_read, reachable, second_mount
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import AWS_PORT, HOST_ADDRESS, REGISTRY_PORT
from slipway.sandbox.processes import ProcessSpec, ProcessTable
from slipway.sandbox.registry_access import ALGORITHM, CALLER, PULL, PUSH, USER, RegistryAccess

ACCOUNT = "docker-registry"
REGISTRY_ADDRESS = f"127.0.0.1:{REGISTRY_PORT}"
MIRROR_ROUTE = "registry"
"""The daemon serves `/_slipway/registry/v2/...`."""
SOCKET = Path("socket/registry.sock")

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
  net: unix
  addr: {socket}
  relativeurls: true
"""

PROXY_CONFIGURATION = """\
global
    maxconn 512
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
    http-request set-var(txn.now) date()
    http-request set-var(txn.seconds_left) http_auth_pass,jwt_payload_query('$.exp','int'),sub(txn.now)
    http-request set-var(txn.right) http_auth_pass,jwt_payload_query('$.right')
    acl signed http_auth_pass,jwt_verify("{algorithm}","{public_key}") eq 1
    acl named http_auth_user -m str {user}
    acl in_time var(txn.seconds_left) -m int gt 0
    acl may_push var(txn.right) -m str {push}
    acl may_pull var(txn.right) -m str {push} {pull}
    acl reading method GET HEAD
    acl catalogue path,url_dec -m beg /v2/_catalog
    http-request return status 401 content-type application/json {challenge} string '{not_authorized}' unless named signed may_pull
    http-request return status 401 content-type application/json {challenge} string '{expired}' unless in_time
    http-request return status 403 content-type application/json string '{denied}' if !reading !may_push
    http-request return status 403 content-type application/json string '{denied}' if catalogue !may_push
    acl of_caller http_auth_pass,jwt_payload_query('$.{caller}') -m found
    acl layer path,url_dec -m reg ^/v2/.+/blobs/(sha256:[0-9a-f]{{64}}|uploads/[^/]*)$
    acl upload path,url_dec -m reg ^/v2/.+/blobs/uploads/[^/]+$
    http-request return status 403 content-type application/json string '{denied}' if of_caller {{ method DELETE }} !upload
    acl manifest path,url_dec -m sub /manifests/
    acl library path,url_dec -m beg /v2/library/
    acl referrers path,url_dec -m sub /referrers/
    acl daemon_is_up nbsrv(daemon) gt 0
    use_backend daemon if of_caller {{ method POST }}
    use_backend daemon if of_caller !layer !{{ path /v2/ /v2 }}
    use_backend daemon if manifest library reading daemon_is_up
    use_backend daemon if manifest {{ method PUT }} daemon_is_up
    use_backend daemon if referrers {{ method GET }} daemon_is_up
    default_backend registry
backend registry
    http-request del-header Authorization
    server registry unix@{socket}
backend daemon
    http-request set-path /_slipway/{route}%[path]
    http-request set-header Host 127.0.0.1:{aws_port}
    server daemon 127.0.0.1:{aws_port} check inter 1s fall 1 rise 1
"""
CHALLENGE = (
    "hdr Docker-Distribution-Api-Version registry/2.0 "
    f'hdr WWW-Authenticate \'Basic realm="http://{REGISTRY_ADDRESS}/",service="ecr.amazonaws.com"\''
)


def store_socket(paths: SandboxPaths) -> Path:
    """Where the registry itself listens, past the proxy; for the daemon only. The path is short, as a socket's must be."""
    return second_mount(_folder(paths)) / SOCKET


class Registry:
    """The registry's two processes."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable) -> None:
        self._folder = _folder(paths)
        self._access = RegistryAccess(paths)
        self._processes = processes

    def start(self) -> None:
        """Run both; returns when the registry answers on its public address."""
        self._folder.mkdir(parents=True, exist_ok=True)
        let_read(self._folder, ACCOUNT)
        seen = reachable(self._folder)
        store = seen / SOCKET
        self._write("registry.yml", CONFIGURATION.format(folder=seen / "images", socket=store))
        self._write("access.pem", self._access.public_key().decode())
        self._write("haproxy.cfg", _proxy_configuration(seen))
        self._processes.ensure(
            ProcessSpec(
                name="registry",
                argv=["docker-registry", "serve", str(seen / "registry.yml")],
                account=ACCOUNT,
                folders=[self._folder / "images", self._folder / SOCKET.parent],
                cwd=Path("/"),
                ready=lambda: _listens(store) and _answers(httpx.Client(transport=httpx.HTTPTransport(uds=str(store)))),
                ready_timeout_seconds=20,
            )
        )
        self._processes.ensure(
            ProcessSpec(
                name="registry-proxy",
                argv=["haproxy", "-db", "-f", str(seen / "haproxy.cfg")],
                account=ACCOUNT,
                cwd=Path("/"),
                ready=lambda: _answers(
                    httpx.Client(auth=httpx.BasicAuth(**self._access.pull_credentials()), trust_env=False)
                ),
                ready_timeout_seconds=20,
            )
        )

    def stop(self) -> None:
        """End both; images stay."""
        for name in ("registry-proxy", "registry"):
            self._processes.stop(name)

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.write_text(text)
        let_read(path, ACCOUNT)


def _folder(paths: SandboxPaths) -> Path:
    return paths.sandbox / "registry"


def _proxy_configuration(seen: Path) -> str:
    return PROXY_CONFIGURATION.format(
        registry_port=REGISTRY_PORT,
        host_address=HOST_ADDRESS,
        aws_port=AWS_PORT,
        route=MIRROR_ROUTE,
        socket=seen / SOCKET,
        algorithm=ALGORITHM,
        public_key=seen / "access.pem",
        user=USER,
        caller=CALLER,
        push=PUSH,
        pull=PULL,
        challenge=CHALLENGE,
        not_authorized=_fault("UNAUTHORIZED", "Not Authorized"),
        expired=_fault("UNAUTHORIZED", "Your authorization token has expired. Reauthenticate and try again."),
        denied=_fault("DENIED", "These credentials may pull only."),
    )


def _fault(code: str, message: str) -> str:
    return json.dumps({"errors": [{"code": code, "message": message}]})


def _listens(path: Path) -> bool:
    """Asked before httpx is, which leaves a socket open where nobody listens (httpcore 1.0.9)."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _answers(client: httpx.Client) -> bool:
    with client:
        return client.get(f"http://{REGISTRY_ADDRESS}/v2/", timeout=2).status_code == 200
