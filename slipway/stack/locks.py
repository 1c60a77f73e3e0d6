"""Who has locked a stack. A killed CLI leaves its lock behind."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass

from slipway.stack.backend import backend_folder

LOCKED = "the stack is currently locked"
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LOCK = re.compile(r"created by [^@\s]*@(?P<host>\S+) \(pid (?P<pid>\d+)\)")


@dataclass(frozen=True)
class LockHolder:
    """Who made a lock."""

    host: str
    pid: int

    @property
    def is_dead(self) -> bool:
        """It ran on this machine and runs no more; numbers are used again, and a killed process stays until it is waited for."""
        if self.host != socket.gethostname():
            return False
        import psutil  # noqa: PLC0415 - for stacks that are locked

        try:
            process = psutil.Process(self.pid)
            return process.status() == psutil.STATUS_ZOMBIE or process.name() != "pulumi"
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


def named_holders(stderr: str) -> tuple[LockHolder, ...]:
    """The holders that the CLI names when it finds a stack locked."""
    text = COLOURS.sub("", stderr)
    if LOCKED not in text:
        return ()
    return tuple(LockHolder(match["host"], int(match["pid"])) for match in _LOCK.finditer(text))


def file_holders(backend_url: str, project: str, stack: str) -> tuple[LockHolder, ...]:
    """The holders in a `file://` backend; none in another, where only the CLI can tell."""
    folder = backend_folder(backend_url)
    found: list[LockHolder] = []
    for file in (folder / "locks/organization" / project / stack).glob("*.json") if folder else ():
        try:
            lock = json.loads(file.read_text())
            found.append(LockHolder(str(lock["hostname"]), int(lock["pid"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # removed meanwhile, or not written whole yet
    return tuple(found)
