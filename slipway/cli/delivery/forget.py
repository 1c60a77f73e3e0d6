"""`slipway forget`."""

from __future__ import annotations

import typer

from slipway.cli.asking import YesOption, confirm
from slipway.cli.delivery import options
from slipway.cli.delivery.options import EnvironmentArgument
from slipway.cli.output import out
from slipway.cli.session import session_of


def forget(context: typer.Context, environment: EnvironmentArgument, yes: YesOption = False) -> None:
    """Clear the ledger's entry of an environment that `pulumi destroy` deleted. `slipway destroy` does this itself."""
    from slipway import delivery  # noqa: PLC0415

    confirm(f"Forget what the ledger says of {environment}?", yes=yes)
    beliefs = delivery.forget_destroyed(options.connect(session_of(context), environment)).texts
    for text in beliefs:
        out().print(f"{environment}: forgotten: {text}", markup=False)
    if not beliefs:
        out().print(f"{environment}: there was nothing to forget", markup=False)
