"""A subscriber of SNS over HTTP: keeps what is posted to it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


class Inbox(http.server.HTTPServer):
    """On a loopback address, at a port that is free."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[tuple[dict[str, str], str]] = []
        """Headers, by their names in lower case, and body."""
        self.failures_left = 0
        """So many of the next posts are answered 503, and not kept."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


@contextmanager
def receiving() -> Generator[Inbox]:
    """An inbox that answers while the block lasts."""
    with Inbox() as inbox:
        threading.Thread(target=inbox.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield inbox
        finally:
            inbox.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        failed = self.server.failures_left > 0
        if failed:
            self.server.failures_left -= 1
        else:
            self.server.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(503 if failed else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args
