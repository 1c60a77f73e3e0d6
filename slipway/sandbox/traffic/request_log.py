"""HAProxy's request log: what a line says, and the pipe that lines arrive through."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.log import get_logger

KINDS = ("forward", "fixed", "redirect")
NO_SERVER = "<NOSRV>"
PIPE_BYTES = 1 << 20
"""Some 8,000 lines: what waits while the daemon is away. The most that Linux gives without privilege (pipe-max-size)."""
READ_BYTES = 1 << 16
POLL_MILLISECONDS = 100
log = get_logger(__name__)


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
    ending: str
    """HAProxy's termination state: who ended the request, and in which phase. `SC`: no target, or none could be reached."""

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
        ending=ending,
    )


class RequestLog:
    """Receives the lines. What is written while nobody listens stays in the pipe, so a restarted daemon gets it late, with true times."""

    def __init__(self, path: Path, receive: Callable[[Request], None]) -> None:
        self._path = path
        self._receive = receive
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen."""
        make_pipe(self._path)
        # For writing too: a pipe that nobody holds open for writing is always at its end.
        descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        with contextlib.suppress(OSError):
            # Refused to some users when too much memory is in pipes; the default of 64 KiB works, for fewer lines.
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._listen, args=(descriptor,), name="request-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up, between two lines; what comes now is for the next listener."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
            self._thread = None

    def _listen(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        begun = b""
        try:
            # HAProxy writes whole lines: the rest of a begun one is in the pipe already.
            while begun or not self._stopping.is_set():
                if poll.poll(POLL_MILLISECONDS):
                    *lines, begun = (begun + os.read(descriptor, READ_BYTES)).split(b"\n")
                    for line in lines:
                        self._take(line.decode(errors="replace"))
        finally:
            os.close(descriptor)

    def _take(self, line: str) -> None:
        try:
            if request := parse_request(line):
                self._receive(request)
        except Exception:
            # One odd request must not end the counting of all others.
            log.exception("a request could not be counted", line=line)


def make_pipe(path: Path) -> None:
    """Make the named pipe, unless it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, 0o600)
