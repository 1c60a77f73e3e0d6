"""`slipway release --supersede` as it is typed, on a simulated company."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.cli.delivery import options
from slipway.delivery.model.rollout import Phase, Reason
from tests.command import run_slipway
from tests.unit.delivery.interrupting import company, left_in


def test_release_supersedes_what_is_under_way_only_where_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    rehearsal.check_out("3.0.0")
    context = rehearsal.context("dev")

    def connect(_session: object, _environment: str, **_wait: Any) -> object:
        return context

    monkeypatch.setattr(options, "connect", connect)
    assert run_slipway(monkeypatch, "release", "dev", "--supersede", "--because", "it has the fix") == 0
    assert "release completed" in capsys.readouterr().out
    history = rehearsal.ledger.history(rehearsal.environment("dev").place, 9)
    assert [past.reason for past in history] == [Reason.NONE, Reason.SUPERSEDED, Reason.NONE]
