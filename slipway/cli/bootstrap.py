"""What an organisation has once: where Pulumi keeps its state, and then the foundation."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

import typer

from slipway.cli.asking import YesOption
from slipway.cli.delivery.options import connect
from slipway.cli.output import out
from slipway.cli.session import FOUNDATION, Session, session_of
from slipway.cli.stacks import flags


def bootstrap(
    context: typer.Context,
    environments: Annotated[
        list[str] | None, typer.Argument(metavar="[ENVIRONMENT]...", help="Environments to enter in the ledger.")
    ] = None,
    state_bucket: Annotated[
        str | None, typer.Option(help="First make this S3 bucket, and a KMS key, for Pulumi's state.")
    ] = None,
    yes: YesOption = False,
) -> None:
    """Bring up the foundation: image registry, ledger, CI's roles. Then enter environments in the ledger. Repeating it is harmless."""
    session = session_of(context)
    # In the organisation's account, which may write every environment's part of the ledger.
    of_organisation = replace(session, in_account=False)
    places = [connect(of_organisation, environment) for environment in environments or ()]
    provider = _make_state_backend(session, state_bucket) if state_bucket else ""
    agreed = yes or session.sandbox
    session.foundation(secrets_provider=provider).show("up", *flags(yes=agreed, skip_preview=agreed))
    for place in places:
        place.ledger.ensure(place.place)
        out().print(f"{place.place.environment}: in the ledger", markup=False)


def _make_state_backend(session: Session, bucket: str) -> str:
    """Make what Pulumi needs first, and use it in this process; answers what encrypts the stacks' secrets."""
    from slipway.delivery.adapters.state_backend import ensure_state_backend  # noqa: PLC0415 - boto3 is slow to import
    from slipway.delivery.wiring import read_region  # noqa: PLC0415 - see above

    folder = session.require_project() / FOUNDATION
    backend = ensure_state_backend(bucket, read_region(folder, session.foundation_stack))
    os.environ["PULUMI_BACKEND_URL"] = backend.backend_url
    out().print(f'export PULUMI_BACKEND_URL="{backend.backend_url}"', markup=False)
    out().print(f"secrets provider: {backend.secrets_provider}", markup=False)
    return backend.secrets_provider
