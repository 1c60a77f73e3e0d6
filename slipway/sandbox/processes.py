"""Supervised processes: started detached, found again after a restart, stopped for sure.

A process outlives the command that started it. Its record (`run/<name>.json`: pid, creation time, argv) is what finds it again; the
creation time guards against a pid that was reused.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from slipway.errors import OperationError
from slipway.sandbox.accounts import WRITTEN_OUT, as_account, hand_over
from slipway.sandbox.paths import SandboxPaths, private_folder

READY_POLL_SECONDS = 0.1
END_POLL_SECONDS = 0.02
LOG_TAIL_LINES = 15
DYING_SECONDS = 30
"""The kernel gives back a gigabyte in well under a second; a busy machine takes longer."""
KILLED = 1 << (signal.SIGKILL - 1)
EXITING = 0x4
"""PF_EXITING of the kernel's flags of a process: it runs none of its own code any more. Source: include/linux/sched.h"""


INHERITED = re.compile(
    r"PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy"
)
"""What every child gets of the caller's variables: the rest may be secrets, and is readable in /proc by the child's account."""


def inherited(more: str = "") -> dict[str, str]:
    """The INHERITED variables of this process, and those whose names match `more` as a whole."""
    wanted = re.compile(f"{INHERITED.pattern}|{more}" if more else INHERITED.pattern)
    return {name: value for name, value in os.environ.items() if wanted.fullmatch(name)}


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One process to keep."""

    name: str
    """Unique in the sandbox; also names its log: `dev-kubelet`."""
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Added to the few INHERITED variables of the caller, of which a child with an `account` gets none."""
    cwd: Path | None = None
    network_namespace: str = ""
    """Name under /run/netns; entered with nsenter, because `ip netns exec` hides the cgroup mounts."""
    account: str = ""
    """Run as this account instead of root."""
    folders: Sequence[Path] = ()
    """Made, and handed over to the account, at each start: an earlier version may have run it as root."""
    ready: Callable[[], bool] | None = None
    """Polled until True; an exception it raises counts as not yet."""
    ready_timeout_seconds: float = 60
    stop_timeout_seconds: float = 10


@dataclass(frozen=True, kw_only=True)
class ProcessRecord:
    """A process as its record says, alive or not."""

    name: str
    pid: int
    created: float
    argv: tuple[str, ...]

    def process(self) -> psutil.Process | None:
        """The live process, or None when it is gone (or its pid is another's by now)."""
        try:
            process = psutil.Process(self.pid)
            alive = abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if alive else None


class ProcessTable:
    """All processes of one sandbox."""

    def __init__(self, paths: SandboxPaths) -> None:
        self._paths = paths

    def ensure(self, spec: ProcessSpec) -> ProcessRecord:
        """Start the process unless it runs already, and wait until it is ready.

        Raises OperationError with the end of its log when it ends, or is not ready in time.
        """
        record = self.running(spec.name) or self._start(spec)
        self._wait_ready(spec, record)
        return record

    def running(self, name: str) -> ProcessRecord | None:
        """The record of a process that runs. One that was killed and is not gone yet is waited for: it holds its ports till then."""
        record = self.find(name)
        process = record.process() if record else None
        if process is not None and _is_dying(process.pid):
            wait_ended([process], DYING_SECONDS)
            process = record.process() if record else None
        return record if process is not None else None

    def find(self, name: str) -> ProcessRecord | None:
        """The record of a process, alive or not."""
        try:
            raw = json.loads(self._record_path(name).read_text())
            return ProcessRecord(name=name, pid=raw["pid"], created=raw["created"], argv=tuple(raw["argv"]))
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def records(self) -> Iterator[ProcessRecord]:
        """Every record, in name order."""
        for path in sorted(self._paths.run.glob("*.json")):
            if record := self.find(path.stem):
                yield record

    def stop(self, name: str, *, timeout_seconds: float = 10) -> None:
        """End the process and its children: SIGTERM, then SIGKILL; forget its record.

        Children with a record of their own go on: whoever started them, they belong to the sandbox and not to this process.
        """
        record = self.find(name)
        process = record.process() if record else None
        if process is not None:
            others = {each.pid for each in self.records() if each.name != name}
            _end(process, others, timeout_seconds)
        self._record_path(name).unlink(missing_ok=True)

    def log_path(self, name: str) -> Path:
        """Where the process writes standard output and error."""
        return self._paths.logs / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """The last lines of its log, for an error message."""
        try:
            lines = self.log_path(name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _record_path(self, name: str) -> Path:
        return self._paths.run / f"{name}.json"

    def _start(self, spec: ProcessSpec) -> ProcessRecord:
        for folder in (self._paths.run, self._paths.logs):
            private_folder(folder)
        argv = as_account(spec.account, spec.argv) if spec.account else list(spec.argv)
        if spec.network_namespace:
            argv = ["nsenter", f"--net=/run/netns/{spec.network_namespace}", "--", *argv]
        for folder in spec.folders:
            hand_over(folder, spec.account)
        with self.log_path(spec.name).open("ab") as log:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=spec.cwd,
                env={**(WRITTEN_OUT if spec.account else inherited()), **spec.env},
                start_new_session=True,
            )
        _keep(child)
        record = ProcessRecord(
            name=spec.name, pid=child.pid, created=psutil.Process(child.pid).create_time(), argv=tuple(argv)
        )
        text = json.dumps({"pid": record.pid, "created": record.created, "argv": list(record.argv)})
        temporary = self._record_path(spec.name).with_suffix(".tmp")
        temporary.write_text(text)
        temporary.replace(self._record_path(spec.name))
        return record

    def _wait_ready(self, spec: ProcessSpec, record: ProcessRecord) -> None:
        deadline = time.monotonic() + spec.ready_timeout_seconds
        while True:
            if record.process() is None:
                raise OperationError(
                    f"{spec.name} ended at once:\n{self.log_tail(spec.name)}", where=str(self.log_path(spec.name))
                )
            if spec.ready is None or _answers(spec.ready):
                return
            if time.monotonic() > deadline:
                raise OperationError(
                    f"{spec.name} was not ready after {spec.ready_timeout_seconds:.0f} s:\n{self.log_tail(spec.name)}",
                    where=str(self.log_path(spec.name)),
                )
            time.sleep(READY_POLL_SECONDS)


_children: list[subprocess.Popen[bytes]] = []
"""Processes of this process's making. Python complains of one that it forgets while it runs, and that is what ours are for."""


def _keep(child: subprocess.Popen[bytes]) -> None:
    # poll() reaps those that ended, so that no zombies are left.
    _children[:] = [each for each in _children if each.poll() is None]
    _children.append(child)


def _answers(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except Exception:  # noqa: BLE001 - a probe of a process that is still starting fails in its own library's ways
        return False


def _is_dying(pid: int) -> bool:
    """Whether it was sent SIGKILL, or is on its way out. Source: proc(5)"""
    try:
        status, stat = (Path(f"/proc/{pid}/{name}").read_text() for name in ("status", "stat"))
    except OSError:
        return True
    pending = re.findall(r"^S(?:ig|hd)Pnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    flags = int(stat.rpartition(")")[2].split()[6])
    return bool(flags & EXITING) or any(int(mask, 16) & KILLED for mask in pending)


def _family(process: psutil.Process, others: Set[int]) -> list[psutil.Process]:
    try:
        children = [child for child in process.children() if child.pid not in others]
    except psutil.NoSuchProcess:
        return []
    return [process, *(member for child in children for member in _family(child, others))]


def _end(process: psutil.Process, others: Set[int], timeout_seconds: float) -> None:
    family = _family(process, others)
    for send in (signal.SIGTERM, signal.SIGKILL):
        for member in family:
            try:
                member.send_signal(send)
            except psutil.NoSuchProcess:
                continue
        family = wait_ended(family, timeout_seconds)
        if not family:
            return


def wait_ended(processes: Sequence[psutil.Process], timeout_seconds: float) -> list[psutil.Process]:
    """Wait until processes have ended; returns those that have not. One that nobody has reaped yet has ended: it runs no more."""
    deadline = time.monotonic() + timeout_seconds
    left = list(processes)
    while (left := [process for process in left if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(END_POLL_SECONDS)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
