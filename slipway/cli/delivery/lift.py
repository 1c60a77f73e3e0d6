"""`slipway lift`."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import EnvironmentArgument, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def lift(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: Annotated[str, typer.Option(help="Reason; kept in the ledger, with who gave it.")],
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="Not needed where only one is rejected.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Lift the rejection of a release's image, so that it may be released and promoted again."""
    from slipway import delivery  # noqa: PLC0415

    print_outcome(delivery.lift(options.connect(session_of(context), environment), release, because=because), json=json)
