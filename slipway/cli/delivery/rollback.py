"""`slipway rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, DryRunOption, EnvironmentArgument, ForceOption, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def rollback(
    context: typer.Context,
    environment: EnvironmentArgument,
    to: Annotated[str | None, typer.Option(help="Release to go back to; by default the one before.")] = None,
    because: BecauseOption = "",
    json: JsonOption = False,
    dry_run: DryRunOption = False,
    force: ForceOption = False,
) -> None:
    """Roll back to an older release: within seconds if the old colour still runs. The image of the release left is rejected."""
    from slipway import delivery  # noqa: PLC0415

    context_ = options.connect(session_of(context), environment)
    print_outcome(delivery.rollback(context_, to, because=because, force=force, dry_run=dry_run), json=json)
