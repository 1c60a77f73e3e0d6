"""`slipway resume`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, EnvironmentArgument, ForceOption, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def resume(
    context: typer.Context,
    environment: EnvironmentArgument,
    force: ForceOption = False,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Finish what a dead process left, set the weights that the ledger says, and try what is owed.

    Says first what differs. If the owner's machine is another one, it is watched for up to a minute.
    """
    from slipway import delivery  # noqa: PLC0415

    print_outcome(
        delivery.resume(options.connect(session_of(context), environment), force=force, because=because), json=json
    )
