"""Keeps the process that serves the providers: started with the daemon, started again when it dies.

A process of its own: handlers and moto would share one interpreter lock, and a provider that dies must not take the AWS API along.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from slipway.errors import MachineError
from slipway.log import get_logger
from slipway.sandbox.paths import SandboxPaths

RESTART_SECONDS = 0.5
STOP_SECONDS = 5

log = get_logger(__name__)


def journal_path(paths: SandboxPaths) -> Path:
    """The notes of creates: beside AWS's state, and removed with it."""
    return paths.sandbox / "aws" / "creates.sqlite"


class ProviderProcess:
    """The process, and the thread that keeps it."""

    def __init__(self, paths: SandboxPaths, ports: Mapping[str, int], endpoint: str) -> None:
        """Start it; `ready` waits until it serves. `ports`: by package, 0 for any free one, which it keeps from then on."""
        self._journal = journal_path(paths)
        self._endpoint = endpoint
        self._ports = dict(ports)
        self._stopping = threading.Event()
        self.faults: dict[str, str] = {}
        """Why it does not serve just now; shown by `slipway sandbox status`."""
        self._process = self._start()

    def ready(self) -> Mapping[str, int]:
        """The ports in use; the process is kept running from now on. Raises MachineError when it does not come up."""
        if not self._read_ports():
            raise MachineError(
                f"the providers cannot be served on the ports {', '.join(str(port) for port in self._ports.values())}",
                remedy="free the ports, or look at the daemon's log",
            )
        threading.Thread(target=self._keep, name="providers", daemon=True).start()
        return self._ports

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> subprocess.Popen[str]:
        ports = json.dumps(self._ports)
        argv = [sys.executable, "-P", "-m", "slipway.sandbox.providers.serving", "--ports", ports]
        argv += ["--endpoint", self._endpoint, "--journal", str(self._journal)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _read_ports(self) -> bool:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        line = self._process.stdout.readline()
        if not line:
            return False
        self._ports = json.loads(line)
        return True

    def _keep(self) -> None:
        while True:
            code = self._process.wait()
            if self._stopping.wait(RESTART_SECONDS):
                return
            log.error("the providers' process ended and is started again", code=code)
            self.faults["providers"] = f"their process ended with code {code} and is started again"
            self._process = self._start()
            if self._read_ports():
                self.faults.clear()
