"""`slipway dashboard`: where it listens, to which names it answers, and how long it waits for a client."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, cast

import httpx
import pytest

from slipway.cli.dashboard import hosts_of, listening, parse_address
from slipway.delivery.dashboard import serving
from slipway.errors import MachineError, UsageError
from tests.company import served

STYLE = "/static/style.css"
NOTHING = cast("Any", None)
"""Dashboards here have nothing to read."""
ADDRESS = parse_address("127.0.0.1")


@pytest.mark.enable_socket
def test_busy_port_is_told_in_one_line() -> None:
    with listening(ADDRESS, 0) as other:
        port = other.getsockname()[1]
        with pytest.raises(MachineError, match=rf"cannot listen on 127\.0\.0\.1, port {port}: Address already in use"):
            listening(ADDRESS, port)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "0", "::", "*", "dash.example", "127.0.0.1:80", "[::1]"])
def test_refuses_a_host_that_is_not_one_address(host: str) -> None:
    with pytest.raises(UsageError, match="want one IP address of this machine"):
        parse_address(host)


def test_refuses_a_pattern_as_a_name() -> None:
    with pytest.raises(UsageError, match="want one whole host name"):
        hosts_of(ADDRESS, ["*"])


@pytest.mark.enable_socket
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_every_answer_has_the_headers_and_foreign_names_get_none_but_400(host: str) -> None:
    with served(NOTHING, host) as url:
        for path, name, status in (
            (STYLE, None, 200),
            (STYLE, "localhost", 200),
            (STYLE, "dash.example:80", 200),
            ("/nowhere", None, 404),
            ("/", None, 500),
            ("/", "evil.example", 400),
            (STYLE, f"{host}.evil.example", 400),
        ):
            answer = httpx.get(f"{url}{path}", headers={"Host": name} if name else None)
            assert answer.status_code == status, (path, name)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["connection"] == "close"
            names = ("x-content-type-options", "referrer-policy", "cache-control", "cross-origin-resource-policy")
            assert [answer.headers[name] for name in names] == ["nosniff", "no-referrer", "no-store", "same-origin"]


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "ambiguous",
    [
        "Host: localhost\r\nHost: evil.example",
        "Host: evil.example\r\nHost: localhost",
        "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        "Host: localhost\r\nContent-Length: 5\r\nContent-Length: 6",
    ],
)
def test_answers_no_request_that_has_two_meanings(ambiguous: str) -> None:
    with served(NOTHING, "127.0.0.1") as url:
        for headers, refused in ((ambiguous, True), ("Host: localhost", False)):
            with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), 20) as client:
                client.sendall(f"GET {STYLE} HTTP/1.1\r\n{headers}\r\n\r\n0\r\n\r\n".encode())
                assert (client.recv(12) in {b"", b"HTTP/1.1 400"}) == refused


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("limit", "value", "sent"),
    [
        ("CONNECTION_SECONDS", 0.1, b"GET / HT"),
        ("CONNECTION_SECONDS", 0.1, b"GET / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 9\r\n\r\nGET / HT"),
        ("MOST_CONNECTIONS", 0, b""),
        ("MOST_CONNECTIONS", 9, b"\x16\x03\x01 no HTTP\r\n\r\n"),
    ],
)
def test_client_that_is_slow_or_too_much_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: float, sent: bytes
) -> None:
    monkeypatch.setattr(serving, limit, value)
    with served(NOTHING, "127.0.0.1") as url, contextlib.suppress(ConnectionError), socket.socket() as client:
        client.settimeout(20)
        client.connect(("127.0.0.1", httpx.URL(url).port or 0))
        client.sendall(sent)
        assert client.recv(1 << 16)[:12] in {b"", b"HTTP/1.1 400"}
        while client.recv(1 << 16):
            pass
