"""What becomes of a command line that ends early: exit codes, messages, and where bytecode and the parts' own messages go."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
import typer

import slipway.cli
from slipway.cli import app
from slipway.cli.dashboard import listening
from slipway.errors import MachineError
from slipway.log import get_logger
from tests.command import run_slipway


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["preview"], "Missing argument"),
        (["nonsense"], "No such command"),
        (["preview", "dev", "--nonsense"], "No such option"),
        (["--project-dir", "/nowhere", "outputs", "dev"], "no Pulumi.yaml here"),
    ],
)
def test_refuses_wrong_arguments_with_exit_code_2(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_slipway(monkeypatch, *arguments) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "a bug in slipway" not in told


@pytest.mark.parametrize("end", [typer.Abort, KeyboardInterrupt])
def test_interrupted_command_ends_with_130(end: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_options: bool) -> None:
        raise end

    monkeypatch.setattr(app, "app", interrupted)
    assert run_slipway(monkeypatch) == 130


def test_bytecode_is_kept_outside_the_clone_also_for_child_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    slipway.cli._keep_bytecode()
    assert (sys.dont_write_bytecode, sys.pycache_prefix) == (False, str(tmp_path / "cache" / "bytecode"))
    assert os.environ["PYTHONPYCACHEPREFIX"] == sys.pycache_prefix
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


def test_messages_leave_alone_what_a_command_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """As in `PATH="$(dirname "$(slipway sandbox pulumi)"):$PATH"`, where the CLI is built first."""
    get_logger("slipway.sandbox").info("built", group="pulumi")

    said = capsys.readouterr()
    assert (said.out, "built" in said.err) == ("", True)


@pytest.mark.enable_socket
def test_busy_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(MachineError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            listening("127.0.0.1", port)
    with listening("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
