"""`slipway explain` as it is typed, on a simulated company."""

from __future__ import annotations

import json

import pytest

from slipway import delivery
from slipway.cli.delivery import options
from slipway.delivery.testing.rehearsal import Rehearsal
from tests.command import run_slipway


@pytest.fixture
def gone_back(monkeypatch: pytest.MonkeyPatch) -> delivery.Context:
    rehearsal = Rehearsal()
    context = rehearsal.context("dev")
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version)
        delivery.release(context)
    delivery.rollback(context)
    monkeypatch.setattr(options, "connect", lambda _session, _environment: context)
    return context


@pytest.mark.usefixtures("gone_back")
def test_explain_says_what_goes_on_and_what_is_possible(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_slipway(monkeypatch, "explain", "dev") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("dev: nothing is under way: 1.0.0 (r-20260105-")
    assert told[1].startswith("  waits for: the rollback window to close, until 2026-01-05 09:10:")
    possible = told[told.index("  possible now:") : told.index("  not now:")]
    assert any(line.startswith("    slipway lift dev r-20260105-") for line in possible)
    refused = told[told.index("  not now:") :]
    assert refused[1] == "    slipway rollback dev: refused by gone-back, rejected"
    assert "would make" in refused[2]
    assert "`slipway rollback dev --to " in refused[2]


@pytest.mark.usefixtures("gone_back")
def test_explain_answers_in_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_slipway(monkeypatch, "explain", "dev", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["environment"], told["rollout"], told["waits_for"]) == ("dev", None, "the rollback window to close")
    (rollback,) = [verb for verb in told["verbs"] if verb["command"] == "slipway rollback dev"]
    assert (rollback["possible"], [each["gate"] for each in rollback["refusals"]]) == (False, ["gone-back", "rejected"])
