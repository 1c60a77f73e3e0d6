"""An endpoint before an API server that is none, on loopback: TLS both ways, and a token webhook with the sandbox's own logic."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import queue
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from slipway.sandbox.aws.token_review import Identity, decode_request, review
from slipway.sandbox.kubernetes.pki import issue, kubeconfig, load_authority

CLUSTER = "orders-dev-1a2b3c4"
SECRET = "ada's secret"
CALLER = "arn:aws:iam::123456789012:user/ada"
WAIT_SECONDS = 20


def signed_token(cluster: str = CLUSTER, secret: str = SECRET, access_key: str = "AKIAADA") -> str:
    """As `aws eks get-token` makes it, by botocore's own signer."""
    request = AWSRequest(
        "GET",
        "http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={"x-k8s-aws-id": cluster},
    )
    SigV4QueryAuth(Credentials(access_key, secret), "sts", "us-east-1", expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived at the API server."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class FakeApiServer:
    """Remembers what it was asked, and answers as an API server would where it matters here."""

    asked: list[Asked] = field(default_factory=list)
    events: queue.Queue[str | None] = field(default_factory=queue.Queue)
    """What the running watch tells next; None ends it."""
    watch_left: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        routes = [
            Route("/api/v1/pods", self._watch, methods=["GET"]),
            Route("/review/{cluster}", token_webhook, methods=["POST"]),
            Route("/{path:path}", self._take, methods=every),
        ]
        return Starlette(routes=routes)

    async def _remember(self, request: Request) -> None:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        body = await request.body()
        self.asked.append(
            Asked(method=request.method, target=target, headers=request.headers.items(), body=body),
        )

    async def _take(self, request: Request) -> Response:
        await self._remember(request)
        if request.url.path == "/gone":
            return Response(status_code=410)
        return JSONResponse({"method": request.method})

    async def _watch(self, request: Request) -> Response:
        await self._remember(request)

        async def lines() -> AsyncIterator[bytes]:
            try:
                while True:
                    with contextlib.suppress(queue.Empty):
                        event = self.events.get_nowait()
                        if event is None:
                            return
                        yield f"{json.dumps({'type': event})}\n".encode()
                    await asyncio.sleep(0.01)
            finally:
                self.watch_left.set()

        return StreamingResponse(lines(), media_type="application/json")


async def token_webhook(request: Request) -> Response:
    """The sandbox's own review, with one caller whom one access entry lets in."""

    def identity_of(_cluster: str, caller: str) -> Identity | None:
        return Identity(username=caller, groups=("eks:access:view", "team"), arn=caller)

    def secret_of(key: str) -> tuple[str, str] | None:
        return (CALLER, SECRET) if key == "AKIAADA" else None

    cluster = request.path_params["cluster"]
    asked = decode_request(await request.body())
    return JSONResponse(review(asked, cluster, secret_of=secret_of, identity_of=identity_of, now=datetime.now(UTC)))


@contextlib.contextmanager
def serving(app: Starlette, **tls: Any) -> Iterator[int]:
    """The app on a free port of 127.0.0.1."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off", **tls))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + WAIT_SECONDS
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(WAIT_SECONDS)


@dataclass
class Endpoint:
    """The endpoint under test, a process as in the sandbox, and what stands behind it."""

    port: int
    pki: Path
    server: FakeApiServer

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.pki / "ca.crt"))

    def client(self, token: str | None = None) -> httpx.Client:
        """A client with a good token, unless another is given; empty: with none."""
        token = signed_token() if token is None else token
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            verify=self.trust,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=WAIT_SECONDS,
            trust_env=False,
        )


def write_kubeconfig(path: Path, port: int, pki: Path) -> None:
    """Of an administrator with a client certificate, as kind writes it."""
    authority = load_authority(pki, "ca")
    admin = issue(authority, "kubernetes-admin", organization="system:masters")
    path.write_text(kubeconfig(f"https://127.0.0.1:{port}", authority.pem, admin, cluster="kind-dev", user="admin"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def endpoint_process(pki: Path, kubeconfig_path: Path, webhook_port: int) -> Iterator[int]:
    """`python -m slipway.sandbox.kubernetes.existing.serve` on a free port."""
    port = free_port()
    argv = [sys.executable, "-m", "slipway.sandbox.kubernetes.existing.serve", "--port", str(port), "--pki", str(pki)]
    argv += ["--kubeconfig", str(kubeconfig_path)]
    argv += ["--token-webhook", f"http://127.0.0.1:{webhook_port}/review/{CLUSTER}"]
    process = subprocess.Popen(argv)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _listens(port):
            assert process.poll() is None, "the endpoint ended"
            assert time.monotonic() < deadline, "the endpoint did not come up"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        code = process.wait(WAIT_SECONDS)
    assert code == 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
