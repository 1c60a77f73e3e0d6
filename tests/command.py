"""`slipway`, as a person types it."""

from __future__ import annotations

import sys

import pytest

from slipway.cli import app


def run_slipway(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command line in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["slipway", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.run()
    assert isinstance(ended.value.code, int)
    return ended.value.code
