"""HAProxy's master command line: every worker, old ones that still finish requests too, through one socket."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import OperationError

PROMPT = b"> "
TIMEOUT_SECONDS = 5
PAYLOAD_LIMIT = 12_000
"""Bytes of one command with its payload; HAProxy's buffer is 16,384 (tune.bufsize)."""


@dataclass(frozen=True)
class Workers:
    """What `show proc` says."""

    current: int | None
    old: tuple[int, ...]
    failed_reloads: int

    @property
    def all(self) -> tuple[int, ...]:
        """The current worker first."""
        return (*(() if self.current is None else (self.current,)), *self.old)


class CommandLine:
    """Commands to the master and its workers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def master(self, *commands: str) -> list[str]:
        """Answers of the master process, one per command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(str(self._path))
            connection.sendall(b"prompt\n")
            _read_answer(connection)
            answers: list[str] = []
            for command in commands:
                connection.sendall(command.encode() + b"\n")
                answers.append(_read_answer(connection))
            return answers

    def reload(self) -> None:
        """Ask for a new worker; the master closes this connection while it re-executes itself."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(str(self._path))
            connection.sendall(b"reload\n")
            while connection.recv(4096):
                pass

    def worker(self, pid: int, commands: Sequence[str]) -> list[str]:
        """Answers of one worker."""
        return self.master(*(f"@!{pid} {command}" for command in commands))

    def workers(self) -> Workers:
        """Which workers live."""
        return parse_workers(self.master("show proc")[0])


def parse_workers(answer: str) -> Workers:
    """`show proc` as a value."""
    new, _, old = answer.partition("# old workers")
    pids = [int(pid) for pid in re.findall(r"^(\d+)\s+worker\s", new, re.MULTILINE)]
    failed = re.search(r"\[failed: (\d+)\]", new)
    return Workers(
        current=pids[0] if pids else None,
        old=tuple(int(pid) for pid in re.findall(r"^(\d+)\s+worker\s", old, re.MULTILINE)),
        failed_reloads=int(failed.group(1)) if failed else 0,
    )


def replace_map(path: Path, entries: Sequence[tuple[str, str]], version: int) -> list[str]:
    """Commands that fill and commit `version` of a map at one stroke: no request sees half of it."""
    commands: list[str] = []
    lines: list[str] = []
    size = 0
    for key, value in entries:
        line = f"{key} {value}"
        if size + len(line) + 1 > PAYLOAD_LIMIT:
            commands.append(f"add map @{version} {path} <<\n" + "\n".join(lines) + "\n")
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        commands.append(f"add map @{version} {path} <<\n" + "\n".join(lines) + "\n")
    return [*commands, f"commit map @{version} {path}"]


def parse_version(answer: str) -> int:
    """The version that `prepare map` made."""
    found = re.search(r"New version created: (\d+)", answer)
    if not found:
        raise OperationError(f"HAProxy did not prepare a map: {answer.strip()}")
    return int(found.group(1))


def _read_answer(connection: socket.socket) -> str:
    received = b""
    while not received.endswith(PROMPT):
        piece = connection.recv(65536)
        if not piece:
            raise OperationError(f"HAProxy closed its command line: {received.decode(errors='replace')}")
        received += piece
    return received.decode(errors="replace").rpartition("\n")[0].strip()
