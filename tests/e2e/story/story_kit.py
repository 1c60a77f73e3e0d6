"""`slipway` as a user runs it, in one checkout on the sandbox, with load beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from slipway.cli.demo.sending import Load, sending
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths

COMMAND_SECONDS = 300
PACE = ("--bake", "6", "--window", "6", "--minimum-requests", "10")


class Slipway:
    """The command on the sandbox, in one checkout; everything it said is kept."""

    def __init__(self, paths: SandboxPaths, checkout: Path) -> None:
        self.paths = paths
        self.checkout = checkout
        self.said: list[str] = []
        self._environment = {**os.environ, **sandbox_environment(paths)}

    def argv(self, *arguments: str, project: Path | None = None) -> list[str]:
        where = str(project or self.checkout)
        return [sys.executable, "-m", "slipway.cli", "--sandbox", "--project-dir", where, *arguments]

    def run(
        self,
        *arguments: str,
        code: int = 0,
        also: int | None = None,
        project: Path | None = None,
        seconds: float = COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end, which is `code`, or the other one that may be."""
        done = subprocess.run(
            self.argv(*arguments, project=project), capture_output=True, text=True, timeout=seconds, check=False
        )
        self.said += [done.stdout, done.stderr]
        assert done.returncode in {code, also}, (
            f"slipway {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def pulumi(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run the Pulumi CLI in the checkout, as a person does after `slipway sandbox env`."""
        done = subprocess.run(
            ["pulumi", "--cwd", str(self.checkout), *arguments, "--non-interactive"],
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return done

    def ask(self, *arguments: str, code: int = 0) -> Any:
        """Run one command that prints JSON."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    @contextmanager
    def killed(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start one command, and when the block ends do to it what a power failure does: no handler runs."""
        process = subprocess.Popen(
            self.argv(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        with process:
            try:
                yield process
                ended = process.poll() is not None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate(timeout=30)
                self.said.append(said)
        assert not ended, f"it ended before it could be killed:\n{said}"

    def place(self, environment: str) -> dict[str, Any]:
        """The status of one environment."""
        return next(each for each in self.ask("status") if each["environment"] == environment)

    def kubectl(self, environment: str, *arguments: str, given: str = "") -> str:
        """Run kubectl in the service's namespace of one environment."""
        kubeconfig = self.run("sandbox", "kubeconfig", environment).stdout.strip()
        argv = ["kubectl", "--kubeconfig", kubeconfig, "--namespace", "orders", *arguments]
        done = subprocess.run(
            argv, env=self._environment, input=given, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def client(self, service: str) -> Any:
        """A client of the sandbox's AWS API."""
        names = {"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY"}
        return boto3.client(
            service,
            region_name=self._environment["AWS_REGION"],
            endpoint_url=self._environment["AWS_ENDPOINT_URL"],
            **{argument: self._environment[variable] for argument, variable in names.items()},
        )

    @contextmanager
    def load(self, url: str) -> Iterator[Load]:
        """Constant requests meanwhile: a quarter stores orders, the others list them."""
        load = Load()
        with sending(load, url, self.paths.sandbox / "story-load.json"):
            yield load
        assert load.sent is not None, "the sender died"


@dataclass(frozen=True)
class Demo:
    """A demo that has ended well."""

    phases: list[dict[str, Any]]
    environments: dict[str, dict[str, Any]]
    slipway: Slipway

    def phase(self, beginning: str) -> dict[str, Any]:
        """The one step whose name begins like this."""
        (found,) = [phase for phase in self.phases if phase["name"].startswith(beginning)]
        return found
