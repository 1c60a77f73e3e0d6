"""The stack's lock: a file of one's own in a folder that must hold no other. Source: `pkg/backend/diy/lock.go`."""

from __future__ import annotations

import getpass
import json
import os
import socket
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from slipway.engine.state.files import read_bytes, remove_file, write_atomically
from slipway.engine.state.properties import dump
from slipway.engine.state.records import format_time, parse_time
from slipway.errors import LockedError


class StackLock:
    """The lock files of one stack."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self) -> Generator[None]:
        """Take the lock, or raise LockedError that names its holders.

        Two that come at once may both be refused, as with the Pulumi CLI; they never both get it.
        """
        own = self._folder / f"{uuid.uuid4()}.json"
        self._remove_orphans()
        self._refuse_others(own)
        write_atomically(own, self._content())
        try:
            self._refuse_others(own)
            yield
        finally:
            remove_file(own)

    def break_all(self) -> int:
        """Delete all locks; how many there were."""
        found = self._files()
        for path in found:
            remove_file(path)
        return len(found)

    def has_live_holder(self) -> bool:
        """Whether the process of one of the locks runs on this machine, or may run on another."""
        return any(_may_be_alive(data) for path in self._files() if (data := read_bytes(path)) is not None)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))

    def _remove_orphans(self) -> None:
        """Delete the locks of processes of this machine that are gone: after kill -9 the same command must simply go on."""
        for path in self._files():
            data = read_bytes(path)
            if data is not None and _is_orphaned(data):
                remove_file(path)

    def _refuse_others(self, own: Path) -> None:
        others = [(path, data) for path in self._files() if path != own and (data := read_bytes(path)) is not None]
        if others:
            holders = "".join(f"\n  {path.as_uri()}: {_describe(data)}" for path, data in others)
            raise LockedError(
                f"the stack is currently locked by {len(others)} lock(s). Either wait for the other process(es) to end "
                f"or delete the lock file with `pulumi cancel`.{holders}",
                remedy="if its process is gone, `slipway cancel` deletes the lock and keeps what it had done",
            )

    def _content(self) -> bytes:
        return dump(
            {
                "pid": os.getpid(),
                "username": _user_name(),
                "hostname": socket.gethostname(),
                "timestamp": format_time(datetime.now(UTC)),
            }
        ).encode()


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # a user without a name, as in a container


def _may_be_alive(data: bytes) -> bool:
    try:
        content: dict[str, Any] = json.loads(data)
        return content["hostname"] != socket.gethostname() or psutil.pid_exists(int(content["pid"]))
    except (ValueError, KeyError, TypeError):
        return False


def _is_orphaned(data: bytes) -> bool:
    """Whether the holder certainly ended: it was of this machine, and no process has its number, or only a younger one."""
    try:
        content: dict[str, Any] = json.loads(data)
        if content["hostname"] != socket.gethostname():
            return False
        taken = parse_time(content["timestamp"]).timestamp()
        return psutil.Process(int(content["pid"])).create_time() > taken + 1
    except psutil.NoSuchProcess:
        return True
    except (ValueError, KeyError, TypeError, psutil.Error):
        return False


def _describe(data: bytes) -> str:
    try:
        content: dict[str, Any] = json.loads(data)
        return (
            f"created by {content['username']}@{content['hostname']} (pid {content['pid']}) at {content['timestamp']}"
        )
    except (ValueError, KeyError, TypeError):
        return "its content cannot be read"
