"""Starting and stopping through the process table, safe against a caller that was killed between a start and its record."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable

import psutil

from slipway.errors import MachineError
from slipway.sandbox.processes import ProcessSpec, ProcessTable, wait_ended

KILL_TIMEOUT_SECONDS = 10
PORT_RELEASE_SECONDS = 5
"""A process that was killed holds its ports until the kernel has taken its memory apart."""


def ensure(processes: ProcessTable, spec: ProcessSpec, *, ports: Iterable[int] = ()) -> None:
    """Run the process unless it runs. A process of the same command line without a record is one whose caller died: it is replaced.

    Raises MachineError naming who holds one of `ports`, when the process must be started and somebody else listens there.
    """
    if processes.running(spec.name) is None:
        kill(stray for stray in psutil.process_iter(["cmdline"]) if stray.info["cmdline"] == list(spec.argv))
        for port in ports:
            refuse_busy_port(port, spec.name)
    processes.ensure(spec)


def kill(victims: Iterable[psutil.Process]) -> None:
    """End processes at once and wait until they are gone."""
    ended: list[psutil.Process] = []
    for victim in victims:
        try:
            victim.kill()
            ended.append(victim)
        except psutil.NoSuchProcess:
            continue
    wait_ended(ended, KILL_TIMEOUT_SECONDS)


def refuse_busy_port(port: int, wanted_by: str) -> None:
    """Raise MachineError when somebody listens on the TCP port of any local address."""
    deadline = time.monotonic() + PORT_RELEASE_SECONDS
    while not _is_free(port):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    else:
        return
    holder = next(
        (
            f"{psutil.Process(found.pid).name()} (process {found.pid})"
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
        ),
        "another process",
    )
    raise MachineError(f"{wanted_by} needs port {port}, which {holder} holds", remedy="Stop it, then run this again.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - taken for a moment, and never listened on
        except OSError:
            return False
    return True
