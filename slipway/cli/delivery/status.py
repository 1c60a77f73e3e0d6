"""`slipway status`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import JsonOption
from slipway.cli.output import out, print_json
from slipway.cli.session import session_of

if TYPE_CHECKING:
    from slipway.delivery.model.status import PlaceStatus


def status(
    context: typer.Context,
    environment: Annotated[
        str, typer.Argument(metavar="ENVIRONMENT", help="Environment whose ledger is read.")
    ] = "dev",
    json: JsonOption = False,
) -> None:
    """Show every environment: what runs, how traffic is divided, what is under way."""
    from slipway import delivery  # noqa: PLC0415

    places = delivery.status(options.connect(session_of(context), environment))
    if json:
        print_json(delivery.as_json(places))
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table("environment", "colour", "version", "release", "wanted", "actual", "healthy", "state", box=None)
    for place in places:
        for colour, row in place.colours.items():
            running = row.running
            state = "live" if row.live else "warm" if row.warm else ""
            table.add_row(
                place.environment,
                colour.value,
                running.version if running else "-",
                running.release if running else "-",
                f"{row.wanted_percent} %",
                "?" if row.actual_percent is None else f"{row.actual_percent} %",
                "?" if row.healthy is None else str(row.healthy),
                state,
            )
    out().print(table if places else "nothing was released yet: slipway release dev")
    now = datetime.now(UTC)
    for place in places:
        _print_remarks(place, now)


def _print_remarks(place: PlaceStatus, now: datetime) -> None:
    from slipway.delivery.model.age import ago  # noqa: PLC0415

    tries = f"; `slipway resume {place.environment}` tries again"
    remarks = {
        "under way": f"{place.rollout.kind.value} {place.rollout.phase.value}" if place.rollout else "",
        "begun again": place.rollout.attempt if place.rollout else "",
        "waits": place.rollout.waits_for if place.rollout else "",
        "busy": place.lease,
        "keeps pods, at least": place.kept,
        "owed": "; ".join(item.told(now) for item in place.owed) + tries if place.owed else "",
        "rejected": "; ".join(
            f"{', '.join(each.rejected.releases)} ({each.rejected.because})" for each in place.rejected if each.rejected
        ),
        "way back": f"rehearsed {ago(place.rehearsed.at, now)} ago: {place.rehearsed.text}" if place.rehearsed else "",
        "backfills": "; ".join(f"{name}: {text}" for name, text in place.backfills.items()),
        "contract migrations pending": ", ".join(place.pending_contract),
        "load balancer": place.problem,
    }
    for what, text in remarks.items():
        if text:
            out().print(f"{place.environment}: {what}: {text}", markup=False)
