"""Who the AWS API answers: no web page, and nothing that comes under another name."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import threading
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from slipway.sandbox import peers
from slipway.sandbox.aws.answers import json_answer
from slipway.sandbox.aws.application import AwsApplication
from slipway.sandbox.aws.server import MOST_CONNECTIONS, AwsServer
from tests.waiting import wait_until

NOBODY = 65534


@pytest.mark.parametrize("path", ["/", "/_slipway/status", "/_slipway/token-review/dev"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},  # a page's own name, rebound to 127.0.0.1
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1.evil.example:{port}"},
    ],
)
def test_refuses_web_pages_and_other_names(daemon: Any, path: str, headers: dict[str, str]) -> None:
    port = daemon.url.rpartition(":")[2]
    given = {name: value.format(port=port) for name, value in headers.items()}
    for method in ("GET", "POST", "OPTIONS"):
        answer = httpx.request(method, daemon.url + path, headers=given)
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.87.0.1"])
def test_answers_to_its_own_names(daemon: Any, host: str) -> None:
    port = daemon.url.rpartition(":")[2]
    assert httpx.get(f"{daemon.url}/_slipway/status", headers={"Host": f"{host}:{port}"}).status_code == 200


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    "path", ["/_slipway/status", "/_slipway/token-review/dev", "/_slipway/registry/v2/", "/_slipway/"]
)
def test_own_pages_answer_no_other_user_of_the_machine(daemon: Any, path: str) -> None:
    assert f"not the user {NOBODY}" in answer_to(NOBODY, daemon.url, path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_api_asks_other_users_for_a_signature_and_no_more(daemon: Any) -> None:
    assert "MissingAuthenticationToken" in answer_to(
        NOBODY, daemon.url, "/?Action=GetCallerIdentity&Version=2011-06-15"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_page_answers_the_accounts_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    application = AwsApplication(SimpleNamespace(save=print, save_soon=print))
    application.add_route("review", lambda _: json_answer("reviewed"), "nobody")
    application.add_route("status", lambda _: json_answer("seen"))
    server = AwsServer(application, ["127.0.0.1"], 0)
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    assert "reviewed" in answer_to(NOBODY, url, "/_slipway/review/dev")
    assert "reviewed" not in answer_to(NOBODY + 1, url, "/_slipway/review/dev")
    assert "seen" in answer_to(0, url, "/_slipway/status")
    assert "seen" not in answer_to(NOBODY, url, "/_slipway/status")
    monkeypatch.setattr(peers, "_asked", lambda *_: None)  # a kernel without the module
    assert "reviewed" in answer_to(NOBODY, url, "/_slipway/review/dev")
    assert "seen" not in answer_to(NOBODY, url, "/_slipway/status")
    server.stop()


def answer_to(user: int, url: str, path: str) -> str:
    """What a process of this user is answered to a POST."""
    address = urlsplit(url)
    os.seteuid(user)
    try:
        client = socket.socket()  # its owner is who makes it
    finally:
        os.seteuid(0)
    with client:
        client.settimeout(20)
        client.connect((address.hostname, address.port))
        client.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


@pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/iam/", "/favicon.ico"])
def test_refuses_motos_control_pages(daemon: Any, path: str) -> None:
    assert httpx.post(daemon.url + path).status_code == 403


def test_state_is_for_its_owner_only(daemon: Any) -> None:
    for folder in ("sandbox/aws", "private"):
        assert stat.S_IMODE((daemon.home / folder).stat().st_mode) == 0o700


def test_grants_nothing_to_web_pages_that_a_bucket_names(aws: Any, daemon: Any) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="shared")
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    s3.put_bucket_cors(Bucket="shared", CORSConfiguration={"CORSRules": [rule]})
    headers: dict[str, str] = s3.list_objects_v2(Bucket="shared")["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        ("/", "Host: {host}\r\nHost: {host}"),
        ("/", "Host: {host}\r\nHost: evil.example"),
        ("http://{host}/", "Host: evil.example"),
        ("/", "Host: {host}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked"),
        ("/", "Host: {host}\r\nContent-Length: 2\r\nContent-Length: 1"),
        ("/", "Host: {host}\r\nTransfer-Encoding: gzip, chunked"),
    ],
)
def test_refuses_what_has_two_meanings(daemon: Any, first: str, headers: str) -> None:
    address = urlsplit(daemon.url)
    text = f"POST {first} HTTP/1.1\r\n{headers}\r\n\r\n0\r\n\r\n".format(host=address.netloc)
    with socket.create_connection((address.hostname, address.port), 20) as connection:
        connection.sendall(text.encode())
        assert connection.recv(12) == b"HTTP/1.1 400"


@pytest.mark.parametrize("chunked", [False, True])
def test_reads_no_large_body_of_somebody_without_credentials(daemon: Any, chunked: bool) -> None:
    body = bytes(4 << 20)
    answer = httpx.post(daemon.url, content=iter([body]) if chunked else body, timeout=20)
    assert answer.status_code == 413


def test_client_that_asks_first_is_told_to_go_on(daemon: Any) -> None:
    """A client of S3 sends its body after this answer, or after a second without it."""
    address = urlsplit(daemon.url)
    head = f"PUT /bucket/key HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), 20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 100"


def test_answer_leaves_in_one_segment(daemon: Any) -> None:
    # A second one waits for the acknowledgement of the first, which a kernel delays by up to 40 ms.
    for _ in range(5):
        connection = HTTPConnection(daemon.url.removeprefix("http://"), timeout=10)
        connection.connect()
        with connection.sock.dup() as kept:  # the client closes its own with the answer
            connection.request("GET", "/_slipway/status")
            assert connection.getresponse().read()
            assert data_segments_in(kept) == 1


def data_segments_in(connected: socket.socket) -> int:
    """`tcpi_data_segs_in` of Linux's tcp_info."""
    return int(struct.unpack_from("I", connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 152)[0])


def test_client_that_holds_many_connections_keeps_nobody_else_out(daemon: Any) -> None:
    address = urlsplit(daemon.url)
    request = f"GET /_slipway/status HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()

    def answer(source: str) -> bytes:
        with socket.create_connection((address.hostname, address.port), 20, (source, 0)) as connection:
            try:
                connection.sendall(request)
                return connection.recv(12)
            except ConnectionError:
                return b""

    with contextlib.ExitStack() as held:
        for _ in range(MOST_CONNECTIONS):
            held.enter_context(socket.create_connection((address.hostname, address.port), 20, ("127.0.0.2", 0)))
        assert [answer(source) for source in ("127.0.0.2", "127.0.0.3", "127.0.0.1")] == [b"", *[b"HTTP/1.1 200"] * 2]
    wait_until(lambda: answer("127.0.0.2") == b"HTTP/1.1 200", "a connection after the others are closed", 20)


def test_connection_for_which_there_is_no_thread_is_not_counted_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "0")])
        return []

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def answer() -> bytes:
        with socket.create_connection(("127.0.0.1", server.port), 20, ("127.0.0.2", 0)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                return connection.recv(12)
            return b""

    server = AwsServer(application, ["127.0.0.1"], 0)
    server.start()
    with monkeypatch.context() as changed:
        changed.setattr(threading.Thread, "start", refuse)
        assert {answer() for _ in range(MOST_CONNECTIONS)} == {b""}
    assert answer() == b"HTTP/1.1 200"
    server.stop()
