"""Chromium without a window, driven by its own protocol."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import websocket

from tests.waiting import wait_until

NAMES = "MAP evil.example 127.0.0.2, MAP rebound.example 127.0.0.1"
"""What a web page's owner lets the names of the page mean."""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--remote-debugging-port=0", f"--host-resolver-rules={NAMES}"),
)


class Page:
    """One page, driven by Chromium's protocol."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket, self._numbers = socket, itertools.count(1)

    def send(self, method: str, **parameters: Any) -> Any:
        """One command; its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            pass
        return answer["result"]

    def run(self, script: str) -> Any:
        """The value of an expression."""
        return self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)["result"][
            "value"
        ]

    def open(self, url: str) -> None:
        """Show a page."""
        self.send("Page.navigate", url=url)
        wait_until(lambda: self.run(f"document.readyState === 'complete' && location.href === '{url}/'"), url)


@contextlib.contextmanager
def chromium_page(profile: Path) -> Generator[Page]:
    """A page of a Chromium of its own, which keeps its files in `profile`."""
    with subprocess.Popen(["chromium", *FLAGS, f"--user-data-dir={profile}"], stderr=subprocess.DEVNULL) as chromium:
        try:
            port = profile / "DevToolsActivePort"
            wait_until(lambda: port.exists() and "\n" in port.read_text(), "Chromium's start")
            found = httpx.get(f"http://127.0.0.1:{port.read_text().split()[0]}/json/list").json()
            (address,) = (each["webSocketDebuggerUrl"] for each in found if each["type"] == "page")
            with contextlib.closing(websocket.create_connection(address, suppress_origin=True, timeout=120)) as socket:
                yield Page(socket)
        finally:
            chromium.terminate()
