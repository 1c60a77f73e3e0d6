"""`slipway bootstrap` as it is typed: what it makes first, and what it leaves to the foundation's stack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from slipway.cli import bootstrap as verb
from slipway.cli.session import Session
from slipway.delivery.adapters import state_backend
from slipway.delivery.adapters.state_backend import StateBackend
from slipway.delivery.testing.rehearsal import Rehearsal
from tests.command import run_slipway

PROJECT = Path(__file__).parents[3]


class RecordedStack:
    """The foundation's stack, which is run by nobody."""

    def __init__(self, done: list[object]) -> None:
        self._done = done

    def show(self, *arguments: str) -> None:
        self._done.append((*arguments, os.environ.get("PULUMI_BACKEND_URL")))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What happened, in order."""
    happened: list[object] = []

    def foundation(session: Session, *, secrets_provider: str = "") -> RecordedStack:
        happened.append((session.foundation_stack, secrets_provider))
        return RecordedStack(happened)

    def ensure(bucket: str, region: str) -> StateBackend:
        happened.append((bucket, region))
        return StateBackend(backend_url=f"s3://{bucket}", secrets_provider="awskms://key")

    def connect(_session: Session, environment: str) -> Any:
        context = Rehearsal().context(environment)
        monkeypatch.setattr(context.ledger, "ensure", lambda place: happened.append(str(place.environment)))
        return context

    monkeypatch.setenv("PULUMI_BACKEND_URL", "as-it-was")
    monkeypatch.delenv("SLIPWAY_SANDBOX", raising=False)
    monkeypatch.setattr(Session, "foundation", foundation)
    monkeypatch.setattr(state_backend, "ensure_state_backend", ensure)
    monkeypatch.setattr(verb, "connect", connect)
    return happened


def test_makes_the_state_s_bucket_then_runs_the_foundation_then_enters_the_environments(
    done: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("-C", str(PROJECT), "bootstrap", "dev", "prod", "--state-bucket", "acme-state")
    assert run_slipway(monkeypatch, *arguments) == 0
    assert done == [("acme-state", "us-east-1"), ("org", "awskms://key"), ("up", "s3://acme-state"), "dev", "prod"]
    assert 'export PULUMI_BACKEND_URL="s3://acme-state"' in capsys.readouterr().out


def test_on_the_sandbox_it_needs_no_bucket_no_environment_and_no_answer(
    done: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_slipway(monkeypatch, "-C", str(PROJECT), "--sandbox", "bootstrap") == 0
    assert done == [("sandbox", ""), ("up", "--yes", "--skip-preview", "as-it-was")]
