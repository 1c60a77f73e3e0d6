"""The sandbox's providers as plugins: what an engine in another process finds on PATH or by PULUMI_DEBUG_PROVIDERS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from slipway.engine.plugins.client import resolve_provider
from slipway.engine.provider import CallContext
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import wait_ended
from slipway.sandbox.providers import PROVIDERS
from slipway.sandbox.providers.serve import main

CTX = CallContext(
    urn="urn:pulumi:dev::shop::pulumi:providers:aws::cloud", type="pulumi:providers:aws", name="cloud", preview=False
)


@pytest.mark.parametrize("package", sorted(PROVIDERS))
def test_plugin_on_the_sandbox_path_checks_its_configuration(tmp_path: Path, package: str) -> None:
    environ = {**os.environ, **sandbox_environment(SandboxPaths(tmp_path))}

    client = resolve_provider(package, environ=environ)

    try:
        assert client.check_config(CTX, {}, {}).failures == ()
    finally:
        client.close()


def test_all_are_served_by_one_command() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway.sandbox.providers.serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        name, _, value = process.stdout.readline().strip().partition("=")
        for package in PROVIDERS:
            client = resolve_provider(package, environ={name: value, "PATH": ""})
            client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        process.stdout.close()
    finally:
        process.kill()
        process.wait()


def test_command_serves_them_from_the_programs_folder(tmp_path: Path) -> None:
    program = tmp_path / "project" / "program"
    program.mkdir(parents=True)
    (program.parent / "Pulumi.yaml").write_text("name: shop\nruntime: python\nmain: program/\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway.cli", "--project-dir", str(program.parent), "sandbox", "providers"],
        env={**os.environ, "SLIPWAY_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("export PULUMI_DEBUG_PROVIDERS=aws:")
        assert psutil.Process(process.pid).cwd() == str(program)
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()
    finally:
        process.kill()
        process.wait()


def test_plugin_ends_with_the_engine_that_started_it(tmp_path: Path) -> None:
    plugin = SandboxPaths(tmp_path).sandbox / "bin" / "pulumi-resource-docker"
    sandbox_environment(SandboxPaths(tmp_path))
    engine = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.run([{str(plugin)!r}, '--logtostderr', '127.0.0.1:1'])"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert engine.stdout is not None
        assert int(engine.stdout.readline()) > 0
        children = psutil.Process(engine.pid).children(recursive=True)
        assert children
        engine.kill()
        engine.wait()
        assert wait_ended(children, 30) == []
        engine.stdout.close()
    finally:
        engine.kill()


def test_refuses_a_package_that_the_sandbox_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gcp"]) == 2
    assert "want one of aws, docker, kubernetes, got gcp" in capsys.readouterr().err
