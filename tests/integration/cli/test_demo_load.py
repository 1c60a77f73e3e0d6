"""The load beside a deployment: what its sender counts, and that it ends with the block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from slipway.cli.demo.sending import Load, sending
from tests.waiting import wait_until


class Orders(BaseHTTPRequestHandler):
    """Lists orders and stores none."""

    seen: list[str]

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        self._answer(503)

    def _answer(self, code: int) -> None:
        self.seen.append(self.path)
        self.send_response(code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's own name
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Orders.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def test_requests_are_counted_while_the_block_lasts_also_when_it_fails(url: str, tmp_path: Path) -> None:
    (tmp_path / "load.json").write_text("an older run's")
    load = Load()
    with pytest.raises(RuntimeError, match="the release failed"), sending(load, url, tmp_path / "load.json"):  # noqa: PT012
        wait_until(lambda: len(Orders.seen) >= 8, "eight requests")
        assert load == Load()
        raise RuntimeError("the release failed")
    assert load.sent == len(Orders.seen)
    assert load.failed is not None
    assert load.faults == {"POST 503": load.failed}
    assert 2 <= load.failed < load.sent


def test_nothing_is_counted_when_the_sender_dies(tmp_path: Path) -> None:
    (tmp_path / "load.json").write_text("an older run's")
    load = Load()
    with sending(load, "http://orders.example", tmp_path / "load.json"):
        pass
    assert load == Load()
