"""The demo's verb."""

from __future__ import annotations

import typer

from slipway.cli.session import session_of


def demo(context: typer.Context) -> None:
    """Take a real service from dev to prod on this machine, release under load, and watch a broken release roll back."""
    from slipway.cli.demo.scenario import run_scenario  # noqa: PLC0415

    session = session_of(context)
    run_scenario(session.require_project(), session.paths)
