"""`slipway history`."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import EnvironmentArgument, JsonOption
from slipway.cli.output import out, print_json
from slipway.cli.session import session_of


def history(
    context: typer.Context,
    environment: EnvironmentArgument,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    json: JsonOption = False,
) -> None:
    """Show the rollouts that have ended, newest first."""
    from slipway import delivery  # noqa: PLC0415

    rollouts = delivery.history(options.connect(session_of(context), environment), limit)
    if json:
        print_json(delivery.as_json(rollouts))
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table("started", "kind", "version", "release", "ended", "reason", "by", box=None)
    for rollout in rollouts:
        candidate = rollout.candidate
        table.add_row(
            f"{rollout.started_at:%Y-%m-%d %H:%M:%S}",
            rollout.kind.value,
            candidate.version if candidate else "-",
            candidate.release if candidate else "-",
            rollout.phase.value,
            rollout.reason_text or rollout.attempt,
            rollout.actor,
        )
    out().print(table)
