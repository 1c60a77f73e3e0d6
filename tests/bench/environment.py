"""An environment of its own on the sandbox, for what is measured there: it runs the demo's service."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import yaml

from slipway.sandbox.paths import SandboxPaths
from tests.e2e.story.story_kit import PACE, Slipway

FAILED = 2
"""The exit code of an operation that could not be done."""
RUN = int(time.time())
"""In the versions: what an earlier run went back from is rejected."""


class BenchEnvironment:
    """A checkout of the demo's service with a stack file more, and `slipway` in it."""

    def __init__(self, paths: SandboxPaths, name: str, cidr: str) -> None:
        demo = paths.sandbox / "demo"
        if not (demo / ".git").is_dir():
            sys.exit("the sandbox has no demo to take the service from; run `make demo` first")
        self.name = name
        self.folder = paths.sandbox / f"{name}-checkout"
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", str(demo), str(self.folder)], check=True, timeout=60)
        (self.folder / ".venv").symlink_to(sys.prefix)
        settings = yaml.safe_load((self.folder / "Pulumi.dev.yaml").read_text())
        settings["config"]["slipway:network"]["cidr"] = cidr
        settings["config"]["slipway:cluster"]["nodes"] |= {"minimum": 2, "desired": 2}
        self._stack_file = self.folder / f"Pulumi.{name}.yaml"
        self._stack_file.write_text(yaml.safe_dump(settings))
        self.slipway = Slipway(paths, self.folder)

    def make(self) -> None:
        """The environment and its first release."""
        self.slipway.run("bootstrap", self.name)
        self.slipway.run("up", self.name, "--yes")
        self.commit("first")
        self.slipway.run("release", self.name, *PACE)

    def remove(self) -> None:
        """All of it, whatever was under way."""
        if not self.slipway.run("destroy", self.name, "--yes", also=FAILED).returncode:
            return
        self.slipway.run("abandon", self.name, "--because", "what was measured is over")
        self.slipway.run("destroy", self.name, "--yes")

    def commit(self, name: str) -> None:
        """A new version of the app."""
        (self.folder / "app" / "VERSION").write_text(f"2.7.{RUN}-{name}\n")
        self._git("commit", "--quiet", "--all", "--message", f"Release {name}")

    def revert(self) -> None:
        """The last commit taken back, by another."""
        self._git("revert", "--no-edit", "HEAD")

    def configure(self, **rollout: object) -> None:
        """Settings of `slipway:rollout`, from the next `up` on."""
        document = yaml.safe_load(self._stack_file.read_text())
        document["config"]["slipway:rollout"] |= rollout
        self._stack_file.write_text(yaml.safe_dump(document))

    def _git(self, *arguments: str) -> None:
        author = ["-c", "user.name=Bench", "-c", "user.email=bench@slipway.invalid", "-c", "commit.gpgsign=false"]
        argv = ["git", "-C", str(self.folder), *author, *arguments]
        subprocess.run(argv, check=True, timeout=60, stdout=subprocess.DEVNULL)
