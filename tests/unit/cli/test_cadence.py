"""How fast delivery takes the world to be: by where it runs, and on the sandbox by how its metrics come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.cli.delivery import options
from slipway.cli.session import Session
from slipway.delivery import wiring
from slipway.delivery.model.cadence import AWS, SANDBOX, Cadence
from slipway.delivery.model.target import RolloutSettings
from slipway.sandbox import switching

MANIFEST = "name: x\nruntime: python\n"


@pytest.mark.parametrize(
    ("sandbox", "pace", "metrics", "looks"),
    [(False, "live", AWS, AWS), (True, "live", SANDBOX, SANDBOX), (True, "aws", AWS, SANDBOX)],
)
def test_bakes_are_judged_as_the_metrics_come(
    *, sandbox: bool, pace: str, metrics: Cadence, looks: Cadence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(MANIFEST)
    found: dict[str, Any] = {}
    monkeypatch.setattr(Session, "stack", lambda *_: None)
    monkeypatch.setattr(switching, "show_switch", lambda page: {"metrics": {"pace": pace}}[page])
    monkeypatch.setattr(wiring, "build_context", lambda *_, **named: found.update(named))
    options.connect(Session(tmp_path, sandbox), "dev")
    cadence: Cadence = found["cadence"]
    settings = cadence.applied_to(RolloutSettings())
    wanted = metrics.applied_to(RolloutSettings())
    assert settings.metric_period_seconds == wanted.metric_period_seconds
    assert (settings.window_seconds, settings.delay_seconds) == (wanted.window_seconds, wanted.delay_seconds)
    assert (cadence.poll_seconds, cadence.settle_seconds) == (looks.poll_seconds, looks.settle_seconds)
