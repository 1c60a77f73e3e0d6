"""Whether the sandbox runs, asked quickly: every command on it asks first, so nothing heavy is imported here."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from slipway.errors import MachineError
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import AWS_PORT
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.status import SandboxStatus, StatusRow

DAEMON = "daemon"
STATUS_TIMEOUT_SECONDS = 10


def ask_page(
    page: str,
    *,
    url: str = f"http://127.0.0.1:{AWS_PORT}",
    seconds: float = STATUS_TIMEOUT_SECONDS,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> tuple[http.client.HTTPResponse, dict[str, Any]]:
    """The daemon's answer at `/_slipway/<page>`, and its JSON. Raises OSError, HTTPException or ValueError when it has none."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=seconds)
    try:
        connection.request(method, f"/_slipway/{page}", body, dict(headers or {}))
        response = connection.getresponse()
        return response, json.loads(response.read())
    finally:
        connection.close()


def ask_daemon() -> dict[str, Any] | None:
    """The daemon's status page; None when nothing answers."""
    try:
        return ask_page("status")[1]
    except (OSError, http.client.HTTPException, ValueError):
        return None


def sandbox_status(paths: SandboxPaths) -> SandboxStatus:
    """What runs. Never raises: a dead daemon is a row, too."""
    processes = ProcessTable(paths)
    rows: list[StatusRow] = []
    report = _daemon_report(processes)
    if report is not None:
        rows += [StatusRow(**row) for row in report["rows"]]
        faults: dict[str, str] = report["faults"]
        rows += [
            StatusRow(name=name, kind="fault", address="", state="failed", detail=why) for name, why in faults.items()
        ]
    for record in processes.records():
        alive = record.process() is not None
        detail = f"pid {record.pid}" if alive else f"log: {processes.log_path(record.name)}"
        rows.append(
            StatusRow(name=record.name, kind="process", address="", state="running" if alive else "dead", detail=detail)
        )
    return SandboxStatus(running=report is not None, ready=bool(report and report["ready"]), rows=tuple(rows))


def require_running(paths: SandboxPaths) -> None:
    """Raise one clear MachineError unless the daemon answers; for commands that need the sandbox."""
    processes = ProcessTable(paths)
    if _daemon_report(processes) is None:
        record = processes.find(DAEMON)
        died = record is not None and record.process() is None
        raise MachineError(
            "the sandbox is not running" + (" (its daemon ended)" if died else ""),
            where=str(processes.log_path(DAEMON)) if died else "",
            remedy="run `slipway sandbox up`; it goes on where it was",
        )


def _daemon_report(processes: ProcessTable) -> dict[str, Any] | None:
    """The status page of this sandbox's daemon; None when it does not answer, or another sandbox's does."""
    record, report = processes.find(DAEMON), ask_daemon()
    ours = record is not None and report is not None and record.pid == report.get("pid")
    return report if ours else None
