"""Stacks whose state is kept elsewhere than in files: the verbs hand over to the Pulumi CLI, with the same words and the same meaning.

The engine knows `file://` backends only. S3, Google Cloud Storage, Azure and Pulumi Cloud are the CLI's, and with them its plugins, its
questions and its exit codes, which ours follow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from slipway.cli.session import Session
from slipway.errors import MachineError

BACKEND_URL_VARIABLE = "PULUMI_BACKEND_URL"
OUTPUT_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class PulumiCli:
    """The CLI on one stack. What it prints, and asks, is for the user."""

    program: str
    project: Path
    stack: str

    def run(self, *verb: str, flags: Iterable[str] = ()) -> None:
        """Run one verb to its end, however long that takes; typer.Exit with the CLI's own code when it fails."""
        code = self._call(*verb, "--stack", self.stack, *flags)
        if code:
            raise typer.Exit(code)

    def ensure_stack(self) -> None:
        """Make the stack where there is none, as the first `up` of the engine does."""
        code = self._call("stack", "select", "--create", self.stack)
        if code:
            raise typer.Exit(code)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets masked; empty where there is no stack, of which the next verb tells."""
        argv = [self.program, "--cwd", str(self.project), "stack", "output", "--json", "--stack", self.stack]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=OUTPUT_TIMEOUT_SECONDS)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def set_secret(self, key: str, value: str) -> None:
        """Encrypt a value into the stack file; the CLI gets it on standard input. typer.Exit with the CLI's own code when it fails."""
        argv = [self.program, "--cwd", str(self.project), "config", "set", key, "--secret", "--stack", self.stack]
        code = subprocess.run(argv, check=False, input=value, text=True).returncode
        if code:
            raise typer.Exit(code)

    def policy_flags(self) -> list[str]:
        """The project's own policy pack."""
        pack = self.project / "policies"
        return ["--policy-pack", str(pack)] if (pack / "PulumiPolicy.yaml").is_file() else []

    def _call(self, *arguments: str) -> int:
        argv = [self.program, "--cwd", str(self.project), *arguments]
        code = subprocess.run(argv, check=False).returncode
        return 130 if code < 0 else code


def cli_of(session: Session, stack: str) -> PulumiCli | None:
    """The CLI, where the stack is not the engine's: outside the sandbox, on a backend that is not `file://`.

    MachineError when the CLI is not there. Where no backend is set, it is the one the CLI is logged in to.
    """
    url = os.environ.get(BACKEND_URL_VARIABLE, "")
    program = shutil.which("pulumi")
    if session.sandbox or url.startswith("file://") or not (url or program):
        return None
    session.require_stack(stack)
    if program is None:
        raise MachineError(
            f"the Pulumi CLI is needed for the backend {url}",
            where=BACKEND_URL_VARIABLE,
            remedy="install `pulumi`, or keep the state in a file:// backend, which needs no CLI",
        )
    return PulumiCli(program, session.require_project(), stack)


def flags(**switches: bool) -> list[str]:
    """`--expect-no-changes` for expect_no_changes=True, in the order given."""
    return [f"--{name.replace('_', '-')}" for name, on in switches.items() if on]


def target_flags(targets: Iterable[str]) -> list[str]:
    """`--target` for each."""
    return [flag for target in targets for flag in ("--target", target)]
