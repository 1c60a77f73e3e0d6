"""`slipway status` as it is typed, on a simulated company."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from datetime import datetime

import pytest

from slipway import delivery
from slipway.cli import app
from slipway.cli.delivery import options
from slipway.delivery.testing.rehearsal import Rehearsal
from tests.company import owing_releases

HINT = "slipway resume dev"


class FixedTime:
    """Stands for `datetime`: the simulated company's now."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal

    def now(self, _zone: object) -> datetime:
        return self._rehearsal.clock.now()


Show = Callable[..., str]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    def show(rehearsal: Rehearsal, *arguments: str) -> str:
        def connect(_session: object, _environment: str) -> delivery.Context:
            return rehearsal.context("dev")

        monkeypatch.setattr(options, "connect", connect)
        monkeypatch.setattr(importlib.import_module("slipway.cli.delivery.status"), "datetime", FixedTime(rehearsal))
        monkeypatch.setattr(sys, "argv", ["slipway", "status", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.run()
        assert ended.value.code == 0
        return capsys.readouterr().out

    return show


def test_status_says_what_is_owed_since_when_how_often_it_was_tried_and_what_to_do(shown: Show) -> None:
    rehearsal = owing_releases()
    rehearsal.clock.sleep(7200)
    (line,) = [line for line in shown(rehearsal, "dev").splitlines() if "owed" in line]
    assert line == f"dev: owed: up for 2 h, tried 2 times: quota [exceeded]; `{HINT}` tries again"


def test_status_as_json_has_what_is_owed(shown: Show) -> None:
    (place,) = json.loads(shown(owing_releases(), "dev", "--json"))
    (owed,) = place["owed"]
    assert (owed["debt"], owed["attempts"], owed["problem"]) == ("up", 2, "quota [exceeded]")
    assert owed["since"].startswith("2026-01-05T09:")


def test_status_is_silent_about_what_is_done(shown: Show) -> None:
    rehearsal = owing_releases()
    rehearsal.environment("dev").up_fault = ""
    delivery.resume(rehearsal.context("dev"))
    assert "owed" not in shown(rehearsal, "dev")
    assert json.loads(shown(rehearsal, "dev", "--json"))[0]["owed"] == []
