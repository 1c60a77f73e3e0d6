"""`slipway retire`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, EnvironmentArgument, ForceOption, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def retire(
    context: typer.Context,
    environment: EnvironmentArgument,
    force: ForceOption = False,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Remove the old colour, once its rollback window has closed."""
    from slipway import delivery  # noqa: PLC0415

    print_outcome(
        delivery.retire(options.connect(session_of(context), environment), force=force, because=because), json=json
    )
