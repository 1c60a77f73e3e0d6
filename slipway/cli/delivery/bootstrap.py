"""`slipway bootstrap`."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.output import out
from slipway.cli.session import session_of


def bootstrap(
    context: typer.Context,
    environments: Annotated[list[str], typer.Argument(metavar="ENVIRONMENT...", help="Environments to prepare.")],
    state_bucket: Annotated[
        str | None, typer.Option(help="Also create this S3 bucket, and a KMS key, for Pulumi's state.")
    ] = None,
    deletion_protection: Annotated[
        bool | None,
        typer.Option(help="Protect the ledger's table against deletion; by default everywhere but on the sandbox."),
    ] = None,
) -> None:
    """Create the ledger: the table that says what runs where. Once per account; repeating it is harmless."""
    from slipway import delivery  # noqa: PLC0415

    session = session_of(context)
    protected = not session.sandbox if deletion_protection is None else deletion_protection
    for environment in environments:
        made = delivery.bootstrap(
            options.connect(session, environment),
            deletion_protection=protected,
            state_bucket=state_bucket,
        )
        signing = "; the key that signs attestations is made" if made.key_made else ""
        out().print(f"{environment}: the ledger is {'made' if made.table_made else 'there'}{signing}", markup=False)
