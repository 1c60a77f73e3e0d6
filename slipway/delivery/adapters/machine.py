"""This machine: its clock, this process, and whether another process is still alive."""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psutil

from slipway.delivery.model.lease import Owner

START_TOLERANCE_SECONDS = 2.0
"""Process start times are rounded to clock ticks, and differ a little between readings."""


class SystemClock:
    """Implements `ports.Clock`."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        time.sleep(seconds)

    def repeat(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """See `Clock.repeat`."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(seconds):
                action()

        thread = threading.Thread(target=go_on, name="lease", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            thread.join(timeout=10)

        return end


def this_owner() -> Owner:
    """The identity of this process."""
    return Owner(user=_user(), host=socket.gethostname(), pid=os.getpid(), started=psutil.Process().create_time())


def owner_is_dead(owner: Owner) -> bool:
    """True only for a process of this machine that is gone, or whose number another process has now."""
    if owner.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(owner.pid)
        return (
            process.status() == psutil.STATUS_ZOMBIE
            or abs(process.create_time() - owner.started) > START_TOLERANCE_SECONDS
        )
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
