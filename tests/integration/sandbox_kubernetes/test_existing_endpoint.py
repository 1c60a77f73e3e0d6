"""The endpoint of an existing cluster: who gets in, in whose name requests go on, and that streams and sessions stay whole.

Not proven here: that a real API server honours the headers; `kubectl` against a real one does (see docs/existing-cluster.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from endpoint_kit import (
    CALLER,
    WAIT_SECONDS,
    Endpoint,
    FakeApiServer,
    endpoint_process,
    free_port,
    serving,
    signed_token,
    write_kubeconfig,
)

from slipway.sandbox.kubernetes.pki import write_shared_identity


def test_request_goes_on_in_the_name_of_the_tokens_user(endpoint: Endpoint) -> None:
    with endpoint.client() as client:
        answer = client.get("/api/v1/namespaces", params={"limit": "5"})

    assert answer.json() == {"method": "GET"}
    (asked,) = endpoint.server.asked
    assert (asked.method, asked.target) == ("GET", "/api/v1/namespaces?limit=5")
    claimed = [(name, value) for name, value in asked.headers if name.startswith("impersonate-")]
    assert claimed == [
        ("impersonate-user", CALLER),
        ("impersonate-group", "eks:access:view"),
        ("impersonate-group", "team"),
        ("impersonate-extra-arn", CALLER),
    ]
    assert "authorization" not in dict(asked.headers)


def test_front_proxy_headers_of_a_client_do_not_pass(endpoint: Endpoint) -> None:
    with endpoint.client() as client:
        client.get("/api", headers={"X-Remote-User": "root", "X-Remote-Group": "system:masters"})

    assert not [name for name, _ in endpoint.server.asked[0].headers if name.startswith("x-remote-")]


@pytest.mark.parametrize(
    "name", ["Impersonate-User", "impersonate-group", "IMPERSONATE-EXTRA-scopes", "Impersonate-Uid"]
)
def test_refuses_a_client_that_claims_to_be_somebody_else(endpoint: Endpoint, name: str) -> None:
    with endpoint.client() as client:
        answer = client.get("/api", headers={name: "system:masters"})

    assert answer.status_code == 403
    assert "takes no impersonation" in answer.json()["message"]
    assert endpoint.server.asked == []


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "has no bearer token"),
        ("guessed", "not a token of `aws eks get-token`"),
        (signed_token(secret="wrong"), "the signature is wrong"),
        (signed_token(cluster="orders-prod-1a2b3c4"), "for another cluster than orders-dev-1a2b3c4"),
    ],
)
def test_refuses_a_token_that_is_not_good(endpoint: Endpoint, token: str, why: str) -> None:
    with endpoint.client(token) as client:
        answer = client.post("/api/v1/namespaces", content=b"x" * 1_000_000)

    assert answer.status_code == 401
    assert answer.json()["kind"] == "Status"
    assert answer.json()["reason"] == "Unauthorized"
    assert why in answer.json()["message"]
    assert endpoint.server.asked == []


def test_body_and_status_pass_unchanged(endpoint: Endpoint) -> None:
    body = os.urandom(3_000_000)
    with endpoint.client() as client:
        client.put("/api/v1/namespaces/a/configmaps/b", content=body)
        chunked = client.put("/api/v1/namespaces/a/configmaps/c", content=iter([body[:1000], body[1000:]]))
        missing = client.delete("/gone")

    received = [hashlib.sha256(asked.body).digest() for asked in endpoint.server.asked[:2]]
    assert received == [hashlib.sha256(body).digest()] * 2
    assert (chunked.status_code, missing.status_code) == (200, 410)


def test_watch_tells_each_event_when_it_happens(endpoint: Endpoint) -> None:
    with endpoint.client() as client, client.stream("GET", "/api/v1/pods", params={"watch": "true"}) as answer:
        lines = answer.iter_lines()
        for event in ("ADDED", "MODIFIED", "DELETED"):
            # Emitted only now: nothing may wait for the next piece.
            endpoint.server.events.put(event)
            assert next(lines) == f'{{"type": "{event}"}}'
        endpoint.server.events.put(None)
        assert list(lines) == []


def test_watch_ends_at_the_api_server_when_a_quiet_client_goes(endpoint: Endpoint) -> None:
    with endpoint.client() as client, client.stream("GET", "/api/v1/pods?watch=true") as answer:
        endpoint.server.events.put("ADDED")
        assert next(answer.iter_lines())
        assert not endpoint.server.watch_left.is_set()
    assert endpoint.server.watch_left.wait(WAIT_SECONDS)


def test_many_clients_at_once_get_their_own_answers(endpoint: Endpoint) -> None:
    async def ask() -> list[httpx.Response]:
        url, headers = f"https://127.0.0.1:{endpoint.port}/api", {"Authorization": f"Bearer {signed_token()}"}
        async with httpx.AsyncClient(
            verify=endpoint.trust, headers=headers, timeout=WAIT_SECONDS, trust_env=False
        ) as client:
            methods = ["GET", "POST", "PUT", "DELETE"] * 10
            return list(await asyncio.gather(*(client.request(method, url) for method in methods)))

    answers = asyncio.run(ask())
    assert [answer.json()["method"] for answer in answers] == [answer.request.method for answer in answers]


@contextlib.contextmanager
def switching_server(pki: Path) -> Iterator[int]:
    """Answers one request by a switch of protocols, and from then on gives every byte back in capitals."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / "server.crt", pki / "server.key")

    def serve(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with plain, tls.wrap_socket(plain, server_side=True) as connection:
            connection.settimeout(WAIT_SECONDS)
            head = _read_until(connection, b"\r\n\r\n").decode().lower()
            protocol = next(line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("upgrade:"))
            assert "connection: upgrade" in head
            assert f"impersonate-user: {CALLER}" in head
            # The first bytes of the new protocol come with the answer, as they may.
            switch = f"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\nhello "
            connection.sendall(switch.encode())
            while content := connection.recv(1000):
                connection.sendall(content.upper())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize("protocol", ["websocket", "SPDY/3.1"])
def test_session_is_carried_whatever_it_switches_to(tmp_path: Path, protocol: str) -> None:
    pki = tmp_path / "pki"
    write_shared_identity(pki, "both", ["127.0.0.1"])
    trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    with switching_server(pki) as upstream_port, serving(FakeApiServer().app()) as webhook_port:
        write_kubeconfig(tmp_path / "kubeconfig", upstream_port, pki)
        with (
            endpoint_process(pki, tmp_path / "kubeconfig", webhook_port) as port,
            socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            head = "POST /api/v1/namespaces/a/pods/b/exec?command=sh HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            head += f"Authorization: Bearer {signed_token()}\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
            connection.sendall(head.encode())
            answer = _read_until(connection, b"hello ")
            assert answer.startswith(b"HTTP/1.1 101")
            for piece in (b"a" * 30_000, b"b" * 30_000, b"c"):
                connection.sendall(piece)
                assert _read_until(connection, piece.upper()[-1:] * len(piece)) == piece.upper()


def _read_until(connection: Any, end: bytes) -> bytes:
    read = b""
    while not read.endswith(end):
        piece = connection.recv(65536)
        assert piece, read[-200:]
        read += piece
    return read


def test_says_so_when_the_existing_cluster_does_not_answer(tmp_path: Path) -> None:
    pki, nobody = tmp_path / "pki", free_port()
    write_shared_identity(pki, "endpoint", ["127.0.0.1"])
    write_kubeconfig(tmp_path / "kubeconfig", nobody, pki)
    server = FakeApiServer()
    with (
        serving(server.app()) as webhook_port,
        endpoint_process(pki, tmp_path / "kubeconfig", webhook_port) as port,
        Endpoint(port, pki, server).client() as client,
    ):
        answer = client.get("/api")

    assert answer.status_code == 503
    assert f"the existing cluster's API server https://127.0.0.1:{nobody} does not answer" in answer.json()["message"]


def test_says_so_when_the_token_webhook_does_not_answer(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    write_shared_identity(pki, "endpoint", ["127.0.0.1"])
    write_kubeconfig(tmp_path / "kubeconfig", free_port(), pki)
    with (
        endpoint_process(pki, tmp_path / "kubeconfig", free_port()) as port,
        Endpoint(port, pki, FakeApiServer()).client() as client,
    ):
        answer = client.get("/api")

    assert answer.status_code == 503
    assert "run `slipway sandbox up`" in answer.json()["message"]
