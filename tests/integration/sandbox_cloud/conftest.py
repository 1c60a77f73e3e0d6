"""A daemon of its own: the AWS API alone, on a free port, with a temporary SLIPWAY_HOME."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.aws import aws_client
from tests.identities import Identities

START_TIMEOUT_SECONDS = 180


class ApiDaemon:
    """The daemon as `slipway sandbox up` starts it, without clusters, databases and load balancers."""

    def __init__(self, home: Path, program: Sequence[str] = ("-m", "slipway.sandbox.daemon", "--api-only")) -> None:
        self.home = home
        self._program = program
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        endpoint = self.home / "sandbox/endpoint.json"
        endpoint.unlink(missing_ok=True)
        environment = {**os.environ, "SLIPWAY_HOME": str(self.home), "SLIPWAY_AWS_PORT": "0"}
        with (self.home / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen([sys.executable, *self._program], env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not endpoint.exists():
            assert self._process.poll() is None, (self.home / "daemon.log").read_text()
            assert time.monotonic() < deadline, "the daemon did not come up"
            time.sleep(0.05)
        self.url = json.loads(endpoint.read_text())["url"]
        assert httpx.get(f"{self.url}/_slipway/status", timeout=60).json()["ready"]

    def end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(120)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return aws_client(service, self.home, self.url, region)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiDaemon]:
    made = ApiDaemon(tmp_path_factory.mktemp("home"))
    made.start()
    yield made
    made.end(signal.SIGTERM)


@pytest.fixture
def aws(daemon: ApiDaemon) -> Callable[..., Any]:
    return daemon.client


@pytest.fixture
def identities(daemon: Any) -> Identities:
    return Identities(daemon)


@pytest.fixture
def name() -> str:
    return f"thing-{uuid4().hex[:8]}"
