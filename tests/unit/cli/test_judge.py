"""`slipway judge` as it is typed, on a simulated company."""

from __future__ import annotations

import sys

import pytest

from slipway import delivery
from slipway.cli import app
from slipway.cli.delivery import options
from slipway.delivery.testing.rehearsal import Rehearsal


def test_judge_shows_each_look_of_the_last_rollout_that_was_analysed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsal = Rehearsal()
    context = rehearsal.context("dev")
    monkeypatch.setattr(options, "connect", lambda _session, _environment: context)

    def judge(*arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["slipway", "judge", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.run()
        assert ended.value.code == 0
        return capsys.readouterr().out.splitlines()

    rehearsal.check_out("1.0.0")
    delivery.release(context)
    assert judge("dev") == ["dev: nothing was analysed"]

    rehearsal.environment("dev").requests_per_second = 80
    rehearsal.check_out("2.0.0")
    delivery.release(context)
    delivery.rollback(context)
    looks = judge("--replay", "dev")
    assert len(looks) == 15
    assert "step 1 after 1 s: no-data: simulation: 8 requests to the candidate, 10 needed" in looks[0]
    assert "step 3 after 5 s: pass: simulation: 0.00% of 640 requests to the candidate failed" in looks[-1]
    assert judge("dev") == looks[-1:]
