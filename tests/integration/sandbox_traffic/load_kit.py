"""Requests over keep-alive connections. One that fails says what it was, and when it was, seen from the API calls around it."""

from __future__ import annotations

import http.client
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

PATIENCE_SECONDS = 60
"""For what comes within milliseconds on an idle machine."""

SHOWN_FAILURES = 20


@dataclass
class Calls:
    """The API calls of a test: what a lost request has to be seen beside."""

    _calls: list[tuple[str, float, float | None]] = field(default_factory=list)
    """Name, begin, end."""

    def begin(self, name: str) -> None:
        self._calls.append((name, time.monotonic(), None))

    def end(self) -> None:
        name, begun, _ = self._calls[-1]
        self._calls[-1] = (name, begun, time.monotonic())

    def around(self, moment: float) -> str:
        """Where a moment lies: during or after which of the calls before it."""
        before = [call for call in self._calls if call[1] <= moment]
        if not before:
            return "before any API call"
        name, begun, ended = before[-1]
        if ended is None or ended > moment:
            return f"{_ms(moment - begun)} into {name}"
        return f"{_ms(moment - ended)} after {name}, which took {_ms(ended - begun)}"


@dataclass
class _Connection:
    """A client's end of a connection, and what is known about it."""

    http: http.client.HTTPConnection
    port: int = 0
    opened: float = 0
    answers: int = 0
    doing: str = ""

    def get(self) -> tuple[int, str]:
        if self.http.sock is None:
            self.doing, self.port, self.answers, self.opened = "connecting", 0, 0, time.monotonic()
            self.http.connect()
            self.port = self.http.sock.getsockname()[1]
        self.doing = "sending"
        self.http.request("GET", "/")
        self.doing = "waiting for the answer"
        response = self.http.getresponse()
        self.doing = "reading the answer"
        body = response.read().decode()
        self.answers += 1
        return response.status, body


@dataclass
class Load:
    """Requests over keep-alive connections, counted."""

    address: str
    port: int
    calls: Calls
    connections: int = 4
    pause_seconds: float = 0.002
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _answered: list[int] = field(default_factory=list)
    """How many answers each connection has had."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._answered = [0] * self.connections
        for number in range(self.connections):
            thread = threading.Thread(target=self._run, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        # pytest shows it when the test has failed; of an assertion on the list it shows only the beginning.
        sys.stdout.write("".join(f"{failure}\n" for failure in self.failures[:SHOWN_FAILURES]))

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def flow(self, requests: int = 8) -> None:
        """Wait until each connection has had that many more answers. From the second on they were asked for after the call."""
        wanted = [answered + requests for answered in self._answered]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(answered < least for answered, least in zip(self._answered, wanted, strict=True)):
            assert time.monotonic() < deadline, f"the load stands still: {self.failures[-3:]}"
            time.sleep(0.01)

    def _run(self, number: int) -> None:
        connection = _Connection(http.client.HTTPConnection(self.address, self.port, timeout=PATIENCE_SECONDS))
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                status, body = connection.get()
                if status == 200:
                    self.answers[body.splitlines()[0]] += 1
                else:
                    self._fail(f"{status} {body[:80]}", connection, begun)
            except (OSError, http.client.HTTPException) as error:
                self._fail(repr(error), connection, begun)
                connection.http.close()
            self._answered[number] += 1
            time.sleep(self.pause_seconds)
        connection.http.close()

    def _fail(self, what: str, connection: _Connection, begun: float) -> None:
        now = time.monotonic()
        self.failures.append(
            f"{what}, {connection.doing}, {self.calls.around(now)}; request begun {_ms(now - begun)} before, "
            f"connection opened {_ms(now - connection.opened)} before, {self.calls.around(connection.opened)}; "
            f"{connection.answers} answers on it; client port {connection.port}"
        )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
