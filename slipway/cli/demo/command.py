"""The demo's verb."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.session import session_of


def demo(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print the last tables as JSON on standard output.")] = False,
) -> None:
    """Take a real service from dev to prod on this machine, release it under load, and see a broken release roll back."""
    from slipway.cli.demo.scenario import run_scenario  # noqa: PLC0415

    session = session_of(context)
    run_scenario(session.require_project(), session.paths, json=json)
