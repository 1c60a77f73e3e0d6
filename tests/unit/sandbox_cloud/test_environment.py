"""The variables that point tools at the sandbox."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from slipway.sandbox.docker_host import docker_folder, record_engine_host
from slipway.sandbox.environment import (
    aws_credentials,
    engine_host,
    ensure_passphrase,
    sandbox_environment,
)
from slipway.sandbox.go_programs.links import link_programs
from slipway.sandbox.paths import SandboxPaths


def test_passphrase_is_random_private_and_made_once(tmp_path: Path) -> None:
    first = ensure_passphrase(SandboxPaths(tmp_path / "a"))
    second = ensure_passphrase(SandboxPaths(tmp_path / "b"))
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert first.read_text() != second.read_text()
    before = first.read_text()
    assert ensure_passphrase(SandboxPaths(tmp_path / "a")).read_text() == before


def test_credentials_are_random_private_and_made_once(tmp_path: Path) -> None:
    first, second, again = (aws_credentials(SandboxPaths(tmp_path / home)) for home in ("a", "b", "a"))
    assert first == again
    assert not {name for name in first if first[name] and first[name] == second[name]}
    file = tmp_path / "a/private/aws-credentials.json"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]
    assert first.items() <= sandbox_environment(SandboxPaths(tmp_path / "a")).items()


def test_kubectl_and_the_environments_python_come_first_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = SandboxPaths(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    link_programs(paths, Path("/cache/kubectl"))
    link_programs(paths, Path("/newer/kubectl"))
    folders = sandbox_environment(paths)["PATH"].split(":")
    assert folders == [str(tmp_path / "sandbox/bin"), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    assert (tmp_path / "sandbox/bin/kubectl").readlink() == Path("/newer/kubectl")


def test_providers_are_attached_and_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_SANDBOX_AWS", raising=False)
    settings = sandbox_environment(SandboxPaths(tmp_path))
    assert settings["PULUMI_DEBUG_PROVIDERS"] == "aws:4567,docker:4568"
    assert settings["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert settings["PULUMI_HOME"] == str(tmp_path / "sandbox/pulumi/home")


def test_installed_aws_plugin_is_used_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_SANDBOX_AWS", "plugin")
    settings = sandbox_environment(SandboxPaths(tmp_path))
    assert settings["PULUMI_DEBUG_PROVIDERS"] == "docker:4568"
    assert "PULUMI_HOME" not in settings
    assert settings["AWS_ENDPOINT_URL"]


def test_bytecode_is_kept_outside_the_clone(tmp_path: Path) -> None:
    settings = sandbox_environment(SandboxPaths(tmp_path))
    assert settings["PYTHONDONTWRITEBYTECODE"] == ""
    assert settings["PYTHONPYCACHEPREFIX"] == str(tmp_path / "cache/bytecode")


def test_engine_is_the_recorded_one(tmp_path: Path) -> None:
    paths = SandboxPaths(tmp_path)
    assert engine_host(paths) == "unix:///run/slipway-docker/docker.sock"
    (tmp_path / "sandbox/docker").mkdir(parents=True)
    (tmp_path / "sandbox/docker/host").write_text("unix:///var/run/docker.sock")
    assert engine_host(paths) == "unix:///var/run/docker.sock"


def test_engines_address_is_replaced_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The daemon writes it every few seconds, and an `up` that reads half of it builds on another engine.
    paths = SandboxPaths(tmp_path)
    docker_folder(paths).mkdir(parents=True)
    record_engine_host(paths, "unix:///run/one.sock")

    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError):  # noqa: PT011 - ours
        record_engine_host(paths, "unix:///run/two.sock")
    assert engine_host(paths) == "unix:///run/one.sock"
