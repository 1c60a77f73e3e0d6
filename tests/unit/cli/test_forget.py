"""`slipway forget` as it is typed: what it asks, says and ends with, on a simulated company."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slipway import delivery
from slipway.cli.delivery import options
from slipway.delivery.testing.rehearsal import Rehearsal
from tests.command import run_slipway


@pytest.fixture
def destroyed(monkeypatch: pytest.MonkeyPatch) -> delivery.Context:
    """A dev that has released, and was destroyed by somebody else."""
    rehearsal = Rehearsal()
    rehearsal.check_out("1.0.0")
    context = rehearsal.context("dev")
    delivery.release(context)
    context.stack.destroy()
    monkeypatch.setattr(options, "connect", lambda _session, _environment: context)
    return context


def test_says_what_was_forgotten_and_then_that_there_is_nothing(
    destroyed: delivery.Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_slipway(monkeypatch, "forget", "dev", "--yes") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("dev: forgotten: green 1.0.0 (")
    assert "dev: forgotten: a database migrated to 0001" in told

    assert run_slipway(monkeypatch, "forget", "dev", "--yes") == 0
    assert capsys.readouterr().out == "dev: there was nothing to forget\n"


def test_forgets_nothing_when_nobody_is_there_to_be_asked(
    destroyed: delivery.Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert run_slipway(monkeypatch, "forget", "dev") == 2
    assert "add --yes" in capsys.readouterr().err
    assert delivery.status(destroyed) != ()


def test_refuses_with_exit_code_2_what_still_exists(
    destroyed: delivery.Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    destroyed.stack.up()
    assert run_slipway(monkeypatch, "forget", "dev", "--yes") == 2
    assert "slipway destroy dev" in capsys.readouterr().err
