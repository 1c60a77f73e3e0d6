"""The verbs of delivery, as commands: a file each."""

from __future__ import annotations

import typer

from slipway.cli.delivery.abandon import abandon
from slipway.cli.delivery.abort import abort
from slipway.cli.delivery.approve import approve
from slipway.cli.delivery.backfill import backfill
from slipway.cli.delivery.continue_ import continue_
from slipway.cli.delivery.contract import contract
from slipway.cli.delivery.explain import explain
from slipway.cli.delivery.forget import forget
from slipway.cli.delivery.history import history
from slipway.cli.delivery.judge import judge
from slipway.cli.delivery.lift import lift
from slipway.cli.delivery.pause import pause
from slipway.cli.delivery.promote import promote
from slipway.cli.delivery.rehearse import rehearse
from slipway.cli.delivery.release import release
from slipway.cli.delivery.resume import resume
from slipway.cli.delivery.retire import retire
from slipway.cli.delivery.rollback import rollback
from slipway.cli.delivery.skip import skip
from slipway.cli.delivery.status import status

PANEL = "Releases"


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (
        release,
        promote,
        rollback,
        rehearse,
        resume,
        pause,
        continue_,
        approve,
        skip,
        abort,
        abandon,
        lift,
        retire,
        backfill,
        contract,
        forget,
        status,
        explain,
        history,
        judge,
    ):
        app.command(verb.__name__.rstrip("_"), rich_help_panel=PANEL)(verb)
