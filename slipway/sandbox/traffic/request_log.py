"""HAProxy's request log: what a line says, and the socket that lines arrive at."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

KINDS = ("forward", "fixed", "redirect")
NO_SERVER = "<NOSRV>"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, as the log-format of `haproxy.cfg.j2` has it."""

    ended: float
    """Seconds since the epoch."""
    frontend: str
    backend: str
    target_chosen: bool
    status: int
    response_seconds: float | None
    """Until the target began to answer; None when it did not."""
    connection_errors: int
    kind: str
    """The rule's action: `forward`, `fixed` or `redirect`."""

    @property
    def forwarded(self) -> bool:
        """Whether a target should answer; else the load balancer did by itself, as told."""
        return self.kind == "forward"

    @property
    def answered_by_target(self) -> bool:
        """Whether the status is the target's own."""
        return self.forwarded and self.response_seconds is not None


def parse_request(line: str) -> Request | None:
    """A line as a value; None when it is none of ours."""
    fields = line.split()
    if len(fields) != 10 or fields[9] not in KINDS:
        return None
    microseconds, frontend, backend, server, status, response, retries, ending, _, kind = fields
    try:
        milliseconds, code, repeated = int(response), int(status), int(retries.lstrip("+"))
        ended = int(microseconds) / 1_000_000
    except ValueError:
        return None
    # The second letter of the ending is the phase: C, the connection could not be made; H, no (valid) response headers.
    cause, phase = ending[:1], ending[1:2]
    answered = milliseconds >= 0 and not (phase == "H" and cause in "SsP")
    refused = phase == "C" and cause in "Ss" and server != NO_SERVER
    return Request(
        ended=ended,
        frontend=frontend.rstrip("~"),
        backend=backend,
        target_chosen=server != NO_SERVER,
        status=code,
        response_seconds=milliseconds / 1000 if answered else None,
        connection_errors=repeated + int(refused),
        kind=kind,
    )


class RequestLog:
    """Receives the lines. HAProxy keeps them while nobody listens, so a restarted daemon gets them late, with true times."""

    def __init__(self, path: Path, receive: Callable[[Request], None]) -> None:
        self._path = path
        self._receive = receive
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = _Server(str(self._path), self._take)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="request-log", daemon=True).start()

    def stop(self) -> None:
        """Hang up, so that HAProxy keeps what comes for the next listener."""
        if self._server:
            self._server.shutdown()
            self._server.close_all()
            self._server = None

    def _take(self, line: str) -> None:
        try:
            if request := parse_request(line):
                self._receive(request)
        except Exception:
            # One odd request must not end the counting of all others.
            log.exception("a request could not be counted", line=line)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - the one kind that makes it

    def handle(self) -> None:
        try:
            for line in self.rfile:
                self.server.take(line.decode(errors="replace"))
        except (OSError, ValueError):
            return


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, take: Callable[[str], None]) -> None:
        self.take = take
        self._connections: set[socket.socket] = set()
        super().__init__(path, _Handler)

    def get_request(self) -> tuple[socket.socket, str]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        self.server_close()
        for connection in list(self._connections):
            self.shutdown_request(connection)
