"""`slipway skip` as it is typed, on a simulated company."""

from __future__ import annotations

import pytest

from slipway.cli.delivery import options
from slipway.delivery.model.rollout import Phase
from tests.command import run_slipway
from tests.unit.delivery.interrupting import company, left_in


@pytest.fixture(autouse=True)
def _left_baking(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    context = rehearsal.context("dev")
    monkeypatch.setattr(options, "connect", lambda _session, _environment: context)


def test_skip_says_what_it_ends_and_that_nobody_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_slipway(monkeypatch, "skip", "dev", "--because", "urgent") == 0
    told = capsys.readouterr().out
    assert "the bake at 50 % is ended early, without the judge's verdict; nobody runs it now" in told


def test_skip_wants_a_reason(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_slipway(monkeypatch, "skip", "dev") == 2
    assert "--because" in capsys.readouterr().err
    assert run_slipway(monkeypatch, "skip", "dev", "--because", " ") == 2
