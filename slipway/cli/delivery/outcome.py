"""How a verb tells what it did, or would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.cli.output import out, print_json

if TYPE_CHECKING:
    from slipway.delivery import Outcome
    from slipway.delivery.planning import Plan


def print_outcome(outcome: Outcome, *, json: bool) -> None:
    """Print what a verb did, or with --dry-run would do."""
    from slipway import delivery  # noqa: PLC0415

    if json:
        print_json(delivery.as_json(outcome))
        return
    out().print(outcome.text, markup=False)
    if outcome.plan:
        for line in plan_lines(outcome.plan):
            out().print(f"  {line}", markup=False)


def plan_lines(plan: Plan) -> list[str]:
    """The result of a dry run, one fact a line."""
    migrations = plan.migrations
    before = (*migrations.first, *migrations.expand)
    ids = [revision.id for revision in before if revision.phase.value != "backfill"]
    backfills = [revision.id for revision in before if revision.phase.value == "backfill"]
    later = [revision.id for revision in migrations.contract]
    after = (f"; after it: backfill {', '.join(backfills)}" if backfills else "") + (
        f"; after it, by `contract`: {', '.join(later)}" if later else ""
    )
    changes = [f"{count} to {op}" for op, count in sorted(plan.changes.items()) if op != "same"]
    shares = [f"{step.percent} %" for step in plan.steps]
    return [
        f"{plan.colour.value} takes the traffic: {' → '.join(shares) or 'in one step'}",
        f"migrations: {', '.join(ids) or 'none'}{after}",
        f"infrastructure: {', '.join(changes) or 'no changes'}",
        *plan.notes,
        *(f"refused ({refusal.gate}): {refusal.text} → {refusal.remedy}" for refusal in plan.refusals),
    ]
