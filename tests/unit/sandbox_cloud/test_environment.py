"""The variables that point tools at the sandbox."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from slipway.sandbox.environment import (
    engine_host,
    ensure_passphrase,
    link_programs,
    sandbox_environment,
)
from slipway.sandbox.paths import SandboxPaths, debug_providers


def test_passphrase_is_random_private_and_made_once(tmp_path: Path) -> None:
    first = ensure_passphrase(SandboxPaths(tmp_path / "a"))
    second = ensure_passphrase(SandboxPaths(tmp_path / "b"))
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert first.read_text() != second.read_text()
    before = first.read_text()
    assert ensure_passphrase(SandboxPaths(tmp_path / "a")).read_text() == before


def test_environments_python_and_kubectl_come_first_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = SandboxPaths(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    link_programs(paths, Path("/cache/kubectl"))
    link_programs(paths, Path("/newer/kubectl"))
    folders = sandbox_environment(paths)["PATH"].split(":")
    assert folders == [str(Path(sys.executable).parent), str(tmp_path / "sandbox/bin"), "/usr/bin", "/bin"]
    assert (tmp_path / "sandbox/bin/kubectl").readlink() == Path("/newer/kubectl")


def test_engine_is_the_recorded_one(tmp_path: Path) -> None:
    paths = SandboxPaths(tmp_path)
    assert engine_host(paths) == "unix:///run/slipway-docker/docker.sock"
    (tmp_path / "sandbox/docker").mkdir(parents=True)
    (tmp_path / "sandbox/docker/host").write_text("unix:///var/run/docker.sock")
    assert engine_host(paths) == "unix:///var/run/docker.sock"


def test_engine_attaches_to_the_daemons_ports() -> None:
    assert debug_providers() == "aws:4567,docker:4568"
    assert debug_providers({"aws": 1}) == "aws:1"
