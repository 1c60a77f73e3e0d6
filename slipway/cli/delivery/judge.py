"""`slipway judge`."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import EnvironmentArgument, JsonOption
from slipway.cli.output import out, print_json
from slipway.cli.session import session_of


def judge(
    context: typer.Context,
    environment: EnvironmentArgument,
    replay: Annotated[bool, typer.Option("--replay", help="Show every look that was kept, not only the last.")] = False,
    rollout: Annotated[str | None, typer.Option(help="An earlier rollout, by its id in `history --json`.")] = None,
    json: JsonOption = False,
) -> None:
    """Judge the newest rollout again, from the measurements kept with it: what each look saw, and what follows from it."""
    from slipway import delivery  # noqa: PLC0415

    found = delivery.judgements(options.connect(session_of(context), environment), rollout)
    looks = found if replay else found[-1:]
    if json:
        print_json(delivery.as_json(looks))
        return
    for measured, verdict in looks:
        then = "" if verdict.kind is measured.verdict else f" (then: {measured.verdict})"
        look = f"{measured.at:%Y-%m-%d %H:%M:%S} step {measured.step + 1} after {measured.seconds:.0f} s"
        out().print(f"{look}: {verdict.kind}{then}: {verdict.text}", markup=False)
    if not looks:
        out().print(f"{environment}: nothing was analysed", markup=False)
