"""`slipway skip`."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import EnvironmentArgument, ForceOption, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def skip(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: Annotated[str, typer.Option(help="Reason; kept in the ledger, with who gave it.")],
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """End the bake of the present step early: traffic moves on without the judge's verdict."""
    from slipway import delivery  # noqa: PLC0415

    context_ = options.connect(session_of(context), environment)
    print_outcome(delivery.skip(context_, because=because, force=force), json=json)
