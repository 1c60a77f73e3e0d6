"""Keeps HAProxy running with what is desired: by commands where possible, by a reload where not, never by a restart."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from slipway.errors import MachineError, OperationError, SlipwayError
from slipway.log import get_logger
from slipway.sandbox.processes import ProcessSpec, ProcessTable
from slipway.sandbox.traffic.command_line import CommandLine, parse_version, replace_map
from slipway.sandbox.traffic.model import Target
from slipway.sandbox.traffic.render import LOG_DESCRIPTOR, REPLACED, Desired, Files
from slipway.sandbox.traffic.request_log import make_pipe

PROCESS_NAME = "haproxy"
RELOAD_TIMEOUT_SECONDS = 15
RELOAD_POLL_SECONDS = 0.01
CHECK_TIMEOUT_SECONDS = 20
SOCKETS_NOT_HANDED_ON = "Failed to get the sockets from the old process"
"""HAProxy's words in its log."""
MAINTENANCE = 1
"""The bit of `srv_admin_state` that `set server … state maint` sets; source: HAProxy's management guide, 9.3."""

log = get_logger(__name__)


class DataPlane:
    """One HAProxy for all load balancers."""

    def __init__(self, files: Files, processes: ProcessTable) -> None:
        self._files = files
        self._processes = processes
        self._command_line = CommandLine(files.master_socket)
        self._lock = threading.RLock()
        self._structure = ""
        self._slots: dict[Path, tuple[str, ...]] = {}
        self._live: dict[str, set[Target]] = {}
        self._retired: dict[str, dict[Target, float]] = {}

    @property
    def is_running(self) -> bool:
        """Whether HAProxy's master lives."""
        record = self._processes.find(PROCESS_NAME)
        return record is not None and record.process() is not None

    def adopt(self) -> None:
        """Find out what an HAProxy that outlived the daemon runs with."""
        with self._lock:
            if not self.is_running:
                return
            with contextlib.suppress(FileNotFoundError):
                self._structure = self._structure_file.read_text()
            self._read_servers()

    def apply(self, desired: Desired, drain_seconds: Mapping[str, float]) -> None:
        """Make HAProxy run with `desired`; it does when this returns.

        `drain_seconds`: by backend, how long the requests of a removed server may still run.
        """
        with self._lock:
            if desired.is_empty:
                self.stop()
                return
            self._write(desired)
            if not self.is_running:
                self._start(desired)
            elif desired.structure != self._structure:
                self._reload(desired)
            else:
                self._change(desired, drain_seconds)

    def reap(self) -> None:
        """Delete removed servers whose requests have ended, or whose time is up."""
        with self._lock:
            if not any(self._retired.values()) or not self.is_running:
                return
            now = time.monotonic()
            for backend, retired in self._retired.items():
                for target, deadline in list(retired.items()):
                    server = f"{backend}/{target.server}"
                    if now >= deadline:
                        self._current([f"shutdown sessions server {server}"])
                    answer = self._current([f"del server {server}"])[0]
                    if "deleted" in answer or "No such server" in answer:
                        del retired[target]

    def stop(self) -> None:
        """End HAProxy; the load balancers' ports are closed afterwards."""
        with self._lock:
            self._processes.stop(PROCESS_NAME)
            self._files.remove_runtime()
            self._structure = ""
            self._slots, self._live, self._retired = {}, {}, {}

    @property
    def _structure_file(self) -> Path:
        return self._files.root / "structure.cfg"

    def _write(self, desired: Desired) -> None:
        for path, text in desired.files.items():
            _write_file(path, text)
        for path, slots in desired.slots.items():
            if self._slots.get(path) != slots or not path.exists():
                _write_file(path, "".join(f"{slot} {backend}\n" for slot, backend in enumerate(slots)))
        _write_file(self._files.configuration, desired.configuration)

    def _check(self) -> None:
        argv = ["haproxy", "-c", "-f", str(self._files.configuration)]
        try:
            check = subprocess.run(argv, capture_output=True, text=True, timeout=CHECK_TIMEOUT_SECONDS, check=False)
        except FileNotFoundError as error:
            raise MachineError("haproxy is not installed", remedy="apt-get install haproxy") from error
        if check.returncode:
            raise OperationError(
                f"HAProxy does not accept its configuration:\n{check.stderr.strip()}",
                where=str(self._files.configuration),
            )

    def _start(self, desired: Desired) -> None:
        self._check()
        make_pipe(self._files.log_pipe)
        self._files.make_runtime()
        spec = ProcessSpec(
            name=PROCESS_NAME,
            argv=[
                # The shell opens the pipe for reading too: HAProxy need not wait for a listener, nor end with it.
                "sh",
                "-c",
                f'exec "$@" {LOG_DESCRIPTOR}<>"$0"',
                str(self._files.log_pipe),
                "haproxy",
                "-W",
                "-S",
                f"{self._files.master_socket},mode,600,level,admin",
                "-f",
                str(self._files.configuration),
            ],
            ready=lambda: self._command_line.workers().current is not None,
        )
        self._processes.ensure(spec)
        self._running_with(desired)
        log.info("load balancer started", frontends=desired.structure.count("\nfrontend "))

    def _reload(self, desired: Desired) -> None:
        self._check()
        before = self._command_line.workers()
        self._wait_until_it_answers(before.current)
        logged = len(self._read_log())
        started = time.monotonic()
        self._command_line.reload()
        while True:
            with contextlib.suppress(OSError, OperationError):
                now = self._command_line.workers()
                if now.failed_reloads > before.failed_reloads:
                    tail = self._processes.log_tail(PROCESS_NAME)
                    raise SlipwayError(f"HAProxy could not reload:\n{tail}", where=str(self._files.configuration))
                if now.current not in (None, before.current):
                    break
            if time.monotonic() - started > RELOAD_TIMEOUT_SECONDS:
                raise OperationError(
                    f"HAProxy had no new worker {RELOAD_TIMEOUT_SECONDS} s after a reload:\n"
                    f"{self._processes.log_tail(PROCESS_NAME)}"
                )
            time.sleep(RELOAD_POLL_SECONDS)
        if SOCKETS_NOT_HANDED_ON in self._read_log()[logged:]:
            log.warning("load balancer made new listening sockets", reset="connections that waited in the old ones")
        # An old worker hears each idle keep-alive connection once more. HAProxy lets nobody change its targets any more, so it must not
        # answer by itself: it hands the request on to the worker of now.
        for pid in before.all:
            if pid in now.old:
                with contextlib.suppress(OSError, OperationError):
                    self._command_line.worker(pid, [f"add map {self._files.replaced} {REPLACED} yes"])
        self._running_with(desired)
        log.info("load balancer reloaded", seconds=round(time.monotonic() - started, 3))

    def _wait_until_it_answers(self, pid: int | None) -> None:
        """Before a reload, so that the worker can hand on its listening sockets.

        HAProxy waits one second for them. Then it makes new ones, closes the old ones, and resets the connections that wait in those. So
        no worker is asked that has only just been started, or that a busy machine gives no time. One that never answers is replaced.
        """
        if pid is not None:
            with contextlib.suppress(OSError, OperationError):
                self._command_line.worker(pid, ["show version"])

    def _read_log(self) -> str:
        try:
            return self._processes.log_path(PROCESS_NAME).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _running_with(self, desired: Desired) -> None:
        self._structure = desired.structure
        self._slots = dict(desired.slots)
        self._live = {backend: set(targets) for backend, targets in desired.servers.items()}
        self._retired = {}
        _write_file(self._structure_file, desired.structure)

    def _change(self, desired: Desired, drain_seconds: Mapping[str, float]) -> None:
        """New targets, then weights, then targets to remove: at no moment has a target group a share that nobody serves."""
        for backend, wanted in desired.servers.items():
            for target in wanted - self._live.setdefault(backend, set()):
                self._add(backend, target, desired.server_options[backend])
        self._set_slots({path: slots for path, slots in desired.slots.items() if self._slots.get(path) != slots})
        self._slots = dict(desired.slots)
        for backend, wanted in desired.servers.items():
            for target in self._live[backend] - wanted:
                self._retire(backend, target, drain_seconds.get(backend, 0))
            self._live[backend] = set(wanted)

    def _set_slots(self, changed: Mapping[Path, tuple[str, ...]]) -> None:
        for path, slots in changed.items():
            version = parse_version(self._current([f"prepare map {path}"])[0])
            entries = [(str(slot), backend) for slot, backend in enumerate(slots)]
            self._current(replace_map(path, entries, version))

    def _add(self, backend: str, target: Target, options: str) -> None:
        server = f"{backend}/{target.server}"
        self._retired.setdefault(backend, {}).pop(target, None)
        answers = self._current(
            [f"add server {server} {target.address}:{target.port}{options}", f"set server {server} state ready"]
        )
        refused = "registered" not in answers[0] and "Already exists" not in answers[0]
        if refused or answers[1]:
            raise OperationError(f"HAProxy did not take the target {server}: {' '.join(answers)}")

    def _retire(self, backend: str, target: Target, drain_seconds: float) -> None:
        self._retired.setdefault(backend, {})[target] = time.monotonic() + drain_seconds
        self._current([f"set server {backend}/{target.server} state maint"])

    def _current(self, commands: list[str]) -> list[str]:
        pid = self._command_line.workers().current
        if pid is None:
            raise OperationError("HAProxy has no worker", where=str(self._processes.log_path(PROCESS_NAME)))
        return self._command_line.worker(pid, commands)

    def _read_servers(self) -> None:
        for line in self._current(["show servers state"])[0].splitlines():
            fields = line.split()
            if line.startswith("#") or len(fields) < 7 or fields[1].startswith("successor_"):
                continue
            backend, target = fields[1], Target.from_key(fields[3])
            if int(fields[6]) & MAINTENANCE:
                self._retired.setdefault(backend, {})[target] = time.monotonic()
            else:
                self._live.setdefault(backend, set()).add(target)


def _write_file(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    # Some hold private keys.
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
