"""Probes and notifications over real HTTP on loopback."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from slipway.delivery.adapters.http import SERVICE_BUNDLE_VARIABLE, http_client
from slipway.delivery.adapters.http_probe import HttpProbe
from slipway.delivery.adapters.notifiers import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Notifiers,
    sign,
    signed_channel,
    slack_channel,
)
from slipway.delivery.events import Notice
from slipway.delivery.model.analysis import Sample
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.target import Target, parse_target
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import OperationError, UsageError
from slipway.sandbox.certificates import issue, make_authority, write_authority, write_identity

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
Answer = tuple[int, Any]
TEST_HEADERS = {"X-Slipway-Test": "open sesame"}


@dataclass
class Site:
    """A small HTTP server and what it was asked."""

    url: str
    answer: Callable[[str], Answer]
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)


@contextmanager
def serve(answer: Callable[[str], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            site.requests.append((self.path, dict(self.headers), body))
            status, content = site.answer(self.path)
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site = Site(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def target(url: str, **rollout: Any) -> Target:
    environment = Rehearsal().environment("dev", **rollout)
    environment.exists = True
    output = dict(environment.outputs()["delivery"])
    output["loadBalancer"] = {**output["loadBalancer"], "url": url}
    return parse_target({"delivery": output})


def version(release: str = "r-2", colour: str = "green") -> Answer:
    return 200, {"version": "2.0.0", "release": release, "colour": colour, "schema": "0002"}


def test_smoke_test_passes_after_a_streak_of_good_answers() -> None:
    answers = iter([(503, {}), version(), version(), (500, {}), *[version()] * 20])
    with serve(lambda _path: next(answers)) as site:
        HttpProbe(target(site.url, smokePaths=["/version"]), lambda: TEST_HEADERS, sleep=lambda _: None).smoke(
            live=False, colour=Colour.GREEN, release="r-2", deadline_seconds=10
        )
        assert len(site.requests) == 7
        assert {headers.get("X-Slipway-Test") for _, headers, _ in site.requests} == {"open sesame"}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((500, {}), "GET /version answered 500"),
        (version(release="r-1"), "comes from release 'r-1' instead of 'r-2'"),
        (version(colour="blue"), "comes from colour 'blue' instead of 'green'"),
        ((302, {}), "answered 302"),
    ],
)
def test_smoke_test_fails_with_what_was_answered_instead(answer: Answer, text: str) -> None:
    with serve(lambda _path: answer) as site:
        probe = HttpProbe(target(site.url, smokePaths=["/version"]), lambda: TEST_HEADERS)
        with pytest.raises(OperationError, match=text):
            probe.smoke(live=True, colour=Colour.GREEN, release="r-2", deadline_seconds=0.3)
        assert not [headers for _, headers, _ in site.requests if "X-Slipway-Test" in headers]


def test_smoke_test_of_nobody_says_that_nobody_answers() -> None:
    with serve(lambda _path: version()) as site:
        pass
    with pytest.raises(OperationError, match="GET /healthz: ConnectError"):
        HttpProbe(target(site.url), lambda: TEST_HEADERS).smoke(
            live=False, colour=Colour.GREEN, release="r-2", deadline_seconds=0.3
        )


def private_tls(folder: Path) -> ssl.SSLContext:
    """Of a server whose authority no client knows; `ca.crt` in the folder is its certificate."""
    authority = make_authority("nobody's")
    write_authority(folder, "ca", authority)
    write_identity(folder, "server", issue(authority, "server", addresses=["127.0.0.1"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context


def test_services_certificate_is_verified_also_by_the_authorities_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(lambda _path: version(), private_tls(tmp_path)) as site:

        def smoke(patience_seconds: float) -> None:
            HttpProbe(target(site.url, smokePaths=["/version"]), lambda: TEST_HEADERS, sleep=lambda _: None).smoke(
                live=True, colour=Colour.GREEN, release="r-2", deadline_seconds=patience_seconds
            )

        monkeypatch.delenv(SERVICE_BUNDLE_VARIABLE, raising=False)
        with pytest.raises(OperationError, match="CERTIFICATE_VERIFY_FAILED"):
            smoke(0.3)
        monkeypatch.setenv(SERVICE_BUNDLE_VARIABLE, str(tmp_path / "ca.crt"))
        smoke(10)
        with http_client(timeout=5) as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            client.get(site.url)  # of a webhook, say
        monkeypatch.setenv(SERVICE_BUNDLE_VARIABLE, str(tmp_path / "gone.crt"))
        with pytest.raises(UsageError, match=f"and {SERVICE_BUNDLE_VARIABLE}"):
            smoke(0.3)


@pytest.mark.parametrize(
    ("bad", "made"), [(2, Sample(requests=10, errors=2, slow=0)), (9, Sample(requests=3, errors=3, slow=0))]
)
def test_synthetic_requests_count_server_errors_and_stop_when_there_are_enough(bad: int, made: Sample) -> None:
    answers = iter([(500, {})] * bad + [(200, {})] * 10)
    with serve(lambda _path: next(answers)) as site:
        probe = HttpProbe(target(site.url, minimumRequests=10, analysisIntervalSeconds=5), lambda: TEST_HEADERS)
        compared = probe.compare(Colour.GREEN, Colour.BLUE, NOW, NOW + timedelta(seconds=5))
    assert (compared.candidate, compared.live, compared.synthetic) == (made, None, True)


def event() -> Notice:
    return Notice(at=NOW, environment="dev", service="orders", text="completed")


FACTS = {"service": "orders", "environment": "dev", "text": "rolled back", "release": "r-2", "why": "password=hunter2"}


def test_webhooks_are_told_in_order_signed_and_scrubbed() -> None:
    with serve(lambda _path: (200, {})) as site:
        channels = [
            slack_channel(f"{site.url}/slack"),
            signed_channel(f"{site.url}/signed", "key", now=lambda: 1767600000),
        ]
        notifiers = Notifiers(channels)
        notifiers.notify("on-rollout-started", event(), FACTS)
        notifiers.notify("on-rollout-aborted", event(), FACTS)
        notifiers.flush()
        paths = [path for path, _, _ in site.requests]
        _, headers, body = site.requests[1]
        _, _, slack = site.requests[2]
    assert paths == ["/slack", "/signed", "/slack", "/signed"]
    assert headers[TIMESTAMP_HEADER] == "1767600000"
    assert headers[SIGNATURE_HEADER] == f"sha256={sign('key', '1767600000', body)}"
    assert json.loads(body)["event"] == "on-rollout-started"
    assert json.loads(slack)["text"] == "orders in dev: rolled back"
    assert json.loads(slack)["attachments"][0]["color"] == "#cc2a36"
    assert b"hunter2" not in b"".join(body for _, _, body in site.requests)


def test_webhook_that_hangs_or_fails_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.delivery.adapters.notifiers.FLUSH_SECONDS", 0.3)
    release = threading.Event()

    def hang(_path: str) -> Answer:
        release.wait(60)
        return 500, {}

    with serve(hang) as site:
        notifiers = Notifiers([slack_channel(site.url, httpx.Client(timeout=60))])
        began = time.monotonic()
        for _ in range(5):
            notifiers.notify("on-rollout-step-completed", event(), FACTS)
        assert time.monotonic() - began < 20  # the hang lasts 60
        notifiers.flush()
        assert time.monotonic() - began < 40
        release.set()
