"""Runs the real Pulumi CLI on one program, in a project, backend and home of its own."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import yaml
from pulumi.runtime.proto.language_pb2_grpc import add_LanguageRuntimeServicer_to_server
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from slipway.documents import read_yaml
from slipway.providers.schema import installed_packages
from slipway.providers.server import CHANNEL_OPTIONS, ProviderServicer
from slipway.providers.values import Secret
from slipway.testing.observing import Observation
from slipway.testing.program import Program, ProgramHost
from slipway.testing.provider import AnyConnection, Cloud, FakeProvider

_PASSPHRASE = "slipway.testing"  # noqa: S105 - protects nothing: the stack lives in a temporary folder
_SALT = "v1:GTBxhkA/Ae4=:v1:KB5ahSkt3PWLr9J9:0ldyCJMFMgvga+gbmTLunFQmHjRZJA=="
"""What the CLI makes of that passphrase. Given beforehand, because making one takes a run of the CLI."""
_SERVED_ANYWAY = ("pulumi-python",)  # dynamic resources: their provider has no SDK of its own


@dataclass(frozen=True)
class Outcome:
    """What one run of the CLI said and did."""

    exit_code: int
    events: Sequence[Mapping[str, Any]]
    output: str
    observation: Observation


@dataclass
class Workspace:
    """One stack with everything that it needs, in `folder`."""

    folder: Path
    command: Path
    project: str
    stack: str
    config: Mapping[str, Any]
    project_settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More of Pulumi.yaml, such as its `config:` with types and defaults."""
    root: Path | None = None
    """What the program gets from `pulumi.get_root_directory()`."""

    def __post_init__(self) -> None:
        for folder in ("project", "home", "bin", "backend/.pulumi/stacks"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        settings = {**self.project_settings, "name": self.project, "runtime": "python"}
        settings.pop("main", None)
        plain = {key: value for key, value in self.config.items() if not isinstance(value, Secret)}
        _write_yaml(self.folder / "project/Pulumi.yaml", settings)
        _write_yaml(self.folder / f"project/Pulumi.{self.stack}.yaml", {"encryptionsalt": _SALT, "config": plain})
        (self.folder / "backend/.pulumi/meta.yaml").write_text("version: 1\n")
        if not self.state_file.exists():
            self.write_state({})

    @property
    def state_file(self) -> Path:
        """Where the file backend keeps the stack's state."""
        return self.folder / f"backend/.pulumi/stacks/{self.project}/{self.stack}.json"

    def read_state(self) -> dict[str, Any]:
        """The state, in the shape of `pulumi stack export`."""
        return {"version": 3, "deployment": json.loads(self.state_file.read_text())["checkpoint"]["latest"]}

    def write_state(self, deployment: Mapping[str, Any]) -> None:
        """Make `deployment`, as an export has it, the stack's state."""
        latest = {**deployment, "secrets_providers": {"type": "passphrase", "state": {"salt": _SALT}}}
        latest.setdefault("manifest", {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""})
        checkpoint = {"stack": f"organization/{self.project}/{self.stack}", "latest": latest}
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        self.state_file.write_text(json.dumps({"version": 3, "checkpoint": checkpoint}))

    def run(self, verb: str, program: Program, cloud: Cloud, *arguments: str) -> Outcome:
        """Run `pulumi <verb>` and serve it the program and its providers meanwhile."""
        secrets = {key: _as_text(value.value) for key, value in self.config.items() if isinstance(value, Secret)}
        host = ProgramHost(program, cloud.classes, secrets, str(self.root or self.folder / "project"))
        server = grpc.server(ThreadPoolExecutor(32), options=CHANNEL_OPTIONS)
        add_LanguageRuntimeServicer_to_server(host, server)
        port = server.add_insecure_port("127.0.0.1:0")
        add_ResourceProviderServicer_to_server(ProviderServicer(AnyConnection(FakeProvider(cloud)), port), server)
        server.start()
        try:
            exit_code, output, events = self._call(verb, port, arguments)
        finally:
            host.abandon()
            server.stop(grace=None).wait()
        return Outcome(exit_code, events, output, host.observation)

    def _call(self, verb: str, port: int, arguments: Sequence[str]) -> tuple[int, str, list[dict[str, Any]]]:
        log = self.folder / "events.json"
        log.unlink(missing_ok=True)
        command = [
            *(str(self.command), verb, "--stack", self.stack, f"--client=127.0.0.1:{port}", "--event-log", str(log)),
            *("--non-interactive", "--color=never", *arguments),
        ]
        process = subprocess.Popen(
            command,
            cwd=self.folder / "project",
            env=self._environment(port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                output, _ = process.communicate()
            except BaseException:
                process.kill()
                raise
        lines = log.read_text().splitlines() if log.exists() else []
        return process.returncode, output, [json.loads(line) for line in lines]

    def _environment(self, port: int) -> dict[str, str]:
        ours = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        packages = [*installed_packages(), *_SERVED_ANYWAY]
        return {
            **ours,
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{port}" for package in packages),
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
        }

    def launcher_of(self, policy_pack: Path) -> Path:
        """What `--policy-pack` gets: for a pack in Python a program that runs it with this Python. The CLI's own way needs Pulumi's
        language host, which a machine need not have."""
        settings = read_yaml(policy_pack / "PulumiPolicy.yaml")
        if _runtime_name(settings) != "python":
            return policy_pack
        launcher = self.folder / "bin" / "-".join(policy_pack.parts[1:])
        launcher.write_text(
            f'#!/bin/sh\ncd "{policy_pack}"\nexec "{sys.executable}" -u -m pulumi.policy "$@" "{policy_pack}"\n'
        )
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        return launcher


def _runtime_name(settings: Mapping[str, Any]) -> str:
    runtime = settings.get("runtime")
    return str(cast("Mapping[str, Any]", runtime).get("name")) if isinstance(runtime, Mapping) else str(runtime)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False))
