"""Constant load while something else runs: starts and ends its sender, and reads what it counted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

REQUESTS_PER_SECOND = 40
STOP_SECONDS = 60
"""For the last requests to be answered or given up, on a busy machine."""


@dataclass
class Load:
    """What a sender counted, once it has ended."""

    sent: int | None = None
    """None: it has not ended, or died without a word."""
    failed: int | None = None
    faults: dict[str, int] = field(default_factory=dict[str, int])


@contextmanager
def sending(load: Load, url: str, summary: Path, rate: int = REQUESTS_PER_SECOND) -> Generator[None]:
    """Requests to `url` while the block lasts, `rate` a second, counted into `load` however it ends. `summary`: where the
    sender writes."""
    summary.unlink(missing_ok=True)
    sender = subprocess.Popen([sys.executable, "-m", "slipway.cli.demo.load", url, str(rate), str(summary)])
    try:
        yield
    finally:
        sender.send_signal(signal.SIGTERM)
        sender.wait(timeout=STOP_SECONDS)
        if summary.is_file():
            counted = json.loads(summary.read_text())
            load.sent, load.failed, load.faults = counted["sent"], counted["failed"], counted["faults"]
