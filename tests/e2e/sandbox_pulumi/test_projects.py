"""Projects as a user has them: a folder with a program, on the command line that the sandbox builds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.sandbox.go_programs import PULUMI, Binaries
from slipway.sandbox.paths import SandboxPaths

Pulumi = Callable[..., str]

DYNAMIC = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult(id_="made", outs=props)


class Word(Resource):
    pass


made = Word(Provider(), "made", {"word": pulumi.Config().require("word")})
pulumi.export("id", made.id)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without a virtual environment of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: project\nruntime: python\n")
    return folder


@pytest.fixture
def run(project: Path) -> Pulumi:
    """`pulumi` in the project's folder; answers what it writes. It needs no running sandbox."""
    binaries = Binaries(SandboxPaths.from_environment())
    binaries.prepare(print, only=(PULUMI,))
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(binaries.folder(PULUMI)), str(Path(sys.executable).parent), os.environ["PATH"])),
        "PULUMI_HOME": str(project.parent / "home"),
        "PULUMI_BACKEND_URL": f"file://{project.parent}",
        "PULUMI_CONFIG_PASSPHRASE": "for a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }

    def call(*words: str) -> str:
        argv = ["pulumi", "--non-interactive", *words]
        done = subprocess.run(
            argv, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def test_dynamic_resource_goes_up_and_comes_down(project: Path, run: Pulumi) -> None:
    (project / "__main__.py").write_text(DYNAMIC)
    run("stack", "init", "test")
    run("config", "set", "word", "hello")
    run("up", "--yes")
    assert run("stack", "output", "id").strip() == "made"
    run("preview", "--expect-no-changes")
    run("destroy", "--yes")


def test_install_leaves_the_sandboxs_own_packages_alone(project: Path, run: Pulumi) -> None:
    (project / "requirements.txt").write_text("./not-there\n")  # pip would fail
    assert "names no virtual environment" in run("install")
