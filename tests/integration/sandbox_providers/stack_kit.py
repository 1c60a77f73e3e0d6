"""Programs run by the Pulumi CLI, which attaches to the daemon's providers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import debug_providers
from tests.aws import aws_client
from tests.waiting import wait_until

START_TIMEOUT_SECONDS = 180


@dataclass
class Daemon:
    """An `--api-only` daemon, and what it says of itself."""

    home: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.home / "sandbox/endpoint.json").read_text())

    @property
    def url(self) -> str:
        return str(self.record["url"])

    def start(self) -> None:
        """Start it on any free ports, and wait until it serves."""
        (self.home / "sandbox/endpoint.json").unlink(missing_ok=True)
        self.home.mkdir(exist_ok=True)
        environment = {**os.environ, "SLIPWAY_HOME": str(self.home), "SLIPWAY_AWS_PORT": "0"}
        with (self.home / "daemon.log").open("ab") as log:
            argv = [sys.executable, "-m", "slipway.sandbox.daemon", "--api-only"]
            self.process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
        wait_until(self._serves, "the daemon's start", START_TIMEOUT_SECONDS)

    def _serves(self) -> bool:
        assert self.process.poll() is None, (self.home / "daemon.log").read_text()
        return (self.home / "sandbox/endpoint.json").exists()

    def providers_process(self) -> psutil.Process:
        """What serves the providers."""
        (found,) = psutil.Process(self.process.pid).children()
        return found

    def kill(self) -> None:
        """As a crash ends it."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return aws_client(service, self.home, self.url, region)

    @property
    def environ(self) -> dict[str, str]:
        """What a command needs to reach its AWS API."""
        return {"AWS_ENDPOINT_URL": self.url, **aws_credentials(SandboxPaths(self.home))}

    def pulumi_environ(self, state: Path, home: Path) -> dict[str, str]:
        """What the Pulumi CLI needs to run programs with its providers. `state` and `home`: folders of the CLI's own."""
        return {
            **self.environ,
            "AWS_ENDPOINT_URL": "",  # the providers have the daemon's own
            "AWS_REGION": "us-east-1",
            "PULUMI_DEBUG_PROVIDERS": debug_providers(self.record["providers"]),
            "PULUMI_BACKEND_URL": f"{state.as_uri()}?metadata=skip",  # as `slipway sandbox env` has it
            "PULUMI_HOME": str(home),
            "PULUMI_CONFIG_PASSPHRASE": "a passphrase",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


@contextmanager
def served(home: Path) -> Iterator[Daemon]:
    """A daemon, stopped afterwards."""
    daemon = Daemon(home)
    try:
        yield daemon
    finally:
        daemon.stop()


@dataclass(frozen=True)
class Result:
    """What a command did and said."""

    code: int
    events: list[dict[str, Any]]
    said: str

    @property
    def changes(self) -> dict[str, int]:
        """Steps by operation."""
        return self._all("summaryEvent")[-1]["resourceChanges"]

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """The new inputs of each step, by logical name."""
        steps = [event["metadata"] for event in self._all("resourcePreEvent")]
        return {step["urn"].rpartition("::")[2]: step["new"]["inputs"] for step in steps if step.get("new")}

    @property
    def errors(self) -> list[str]:
        """As the user reads them."""
        told = [event["message"].strip() for event in self._all("diagnosticEvent") if event["severity"] == "error"]
        return [*told, *([self.said.strip()] if "error:" in self.said else [])]

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return [event[kind] for event in self.events if kind in event]


OnEvent = Callable[[subprocess.Popen[str]], None]


@dataclass
class Project:
    """A project's folder, a file backend of its own, and the stack `dev`."""

    folder: Path
    daemon: Daemon
    program: str = ""
    environ: dict[str, str] = field(default_factory=dict[str, str])
    main: str = "."

    def __post_init__(self) -> None:
        settings = {
            "name": "shop",
            "main": self.main,
            "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}},
        }
        (self.folder / self.main).mkdir(parents=True, exist_ok=True)
        (self.folder / "Pulumi.yaml").write_text(json.dumps(settings))
        self.state = self.folder.with_name(f"{self.folder.name}-state")
        self.state.mkdir(exist_ok=True)
        assert self.run("stack", "init").code == 0

    def run(self, *arguments: str, on_event: OnEvent | None = None) -> Result:
        """Run `pulumi` here; `on_event` is called at each step that it tells of."""
        (self.folder / self.main / "__main__.py").write_text(self.program)
        argv = ["pulumi", *arguments, "--stack", "dev", "--non-interactive"]
        with (self.folder.with_name("stderr")).open("w+") as stderr:
            process = subprocess.Popen(
                argv, cwd=self.folder, env=self._environment(), stdout=subprocess.PIPE, stderr=stderr, text=True
            )
            assert process.stdout is not None
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line)
                if on_event and ("resourcePreEvent" in line or "resOutputsEvent" in line):
                    on_event(process)
            process.stdout.close()
            code = process.wait()
            stderr.seek(0)
            said = stderr.read()
        return Result(code, [json.loads(line) for line in lines if line.startswith('{"sequence')], said)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.daemon.pulumi_environ(self.state, self.folder.with_name("pulumi-home")),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            **self.environ,
        }

    def up(self) -> dict[str, int]:
        """What `up` did, by operation."""
        return self._succeeded("up", "--yes", "--skip-preview", "--json").changes

    def preview(self) -> Result:
        """What it would do."""
        return self._succeeded("preview", "--json")

    def refresh(self) -> dict[str, int]:
        return self._succeeded("refresh", "--yes", "--skip-preview", "--json").changes

    def destroy(self) -> dict[str, int]:
        return self._succeeded("destroy", "--yes", "--skip-preview", "--json").changes

    def outputs(self) -> dict[str, Any]:
        """The stack's."""
        argv = ["pulumi", "stack", "output", "--json", "--stack", "dev"]
        return json.loads(subprocess.check_output(argv, cwd=self.folder, env=self._environment(), text=True))

    def _succeeded(self, *arguments: str) -> Result:
        result = self.run(*arguments)
        assert result.code == 0, result.errors
        return result
