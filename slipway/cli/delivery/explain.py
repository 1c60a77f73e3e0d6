"""`slipway explain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import EnvironmentArgument, JsonOption
from slipway.cli.output import out, print_json
from slipway.cli.session import session_of

if TYPE_CHECKING:
    from slipway.delivery import Explanation


def explain(context: typer.Context, environment: EnvironmentArgument, json: JsonOption = False) -> None:
    """Say in plain words what the rollout does, what it waits for, what would end it, and which verbs are possible now."""
    from slipway import delivery  # noqa: PLC0415

    explanation = delivery.explain(options.connect(session_of(context), environment))
    if json:
        print_json(delivery.as_json(explanation))
        return
    for line in explanation_lines(explanation):
        out().print(line, markup=False)


def explanation_lines(told: Explanation) -> Iterator[str]:
    """For people: what goes on, and then every verb."""
    yield f"{told.environment}: {told.does}"
    if told.waits_for:
        left = f" ({max((told.until - told.at).total_seconds(), 0):.0f} s left)" if told.until else ""
        until = f", until {told.until:%Y-%m-%d %H:%M:%S} UTC{left}" if told.until else ""
        yield f"  waits for: {told.waits_for}{until}"
    if told.ends:
        yield "  would turn it back:"
        yield from (f"    {end}" for end in told.ends)
    if told.owner:
        yield f"  at work: {told.owner}"
    if told.owed:
        yield f"  owed: {'; '.join(item.told(told.at) for item in told.owed)}"
    yield "  possible now:"
    yield from (f"    {verb.command}: {verb.text}" for verb in told.verbs if verb.possible)
    yield "  not now:"
    for verb in told.verbs:
        if not verb.possible:
            yield f"    {verb.command}: {verb.text}"
            yield from (f"      {refusal.gate}: {refusal.text} → {refusal.remedy}" for refusal in verb.refusals)
