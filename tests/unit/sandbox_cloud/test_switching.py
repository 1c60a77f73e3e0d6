"""What is refused before the sandbox is asked. The switches themselves are in the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.errors import MachineError, UsageError
from slipway.sandbox import bringing_up, lifecycle, running
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.switching import PACES, check_pace
from slipway.sandbox.traffic.metrics import Pace


def test_paces_that_can_be_asked_for_are_those_there_are() -> None:
    assert set(PACES) == {str(pace) for pace in Pace}


def test_refuses_a_pace_that_metrics_do_not_have(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one of: aws, live"):
        lifecycle.metrics_pace(SandboxPaths(tmp_path), "fast")
    with pytest.raises(UsageError, match="SLIPWAY_SANDBOX_METRICS"):
        check_pace("AWS", "SLIPWAY_SANDBOX_METRICS")


def test_refuses_a_plan_that_is_none_although_the_sandbox_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a fault plan's name nor a file"):
        lifecycle.faults(SandboxPaths(tmp_path), "earthquake")


@pytest.mark.parametrize("plan", ["throttling", "off", None])
def test_says_that_the_sandbox_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: str | None) -> None:
    monkeypatch.setattr(running, "ask_daemon", lambda: None)
    with pytest.raises(MachineError, match="the sandbox is not running"):
        lifecycle.faults(SandboxPaths(tmp_path), plan)


@pytest.mark.parametrize(
    ("variable", "words"), [("SLIPWAY_SANDBOX_FAULTS", "neither a fault plan"), ("SLIPWAY_SANDBOX_METRICS", "no pace")]
)
def test_up_refuses_a_setting_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, words: str
) -> None:
    monkeypatch.setenv(variable, "earthquake")
    monkeypatch.setattr(bringing_up, "check_machine", lambda _paths: pytest.fail("started"))
    with pytest.raises(UsageError, match=words):
        bringing_up.up(SandboxPaths(tmp_path), lambda _text: None)
