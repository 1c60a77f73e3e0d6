"""What a destroyed environment leaves in the ledger: its history, its releases and its holds, but nothing that says what runs."""

from __future__ import annotations

from dataclasses import replace

from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.ports import Context
from slipway.errors import UsageError


def refuse_during_rollout(ctx: Context) -> None:
    """UsageError while a rollout is under way: whoever runs it would go on with what is being deleted."""
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is not None and not rollout.phase.ended:
        raise UsageError(
            f"a {rollout.kind.value} is under way, in {rollout.phase.value}",
            where=str(ctx.place),
            remedy=f"end it first: `slipway resume {ctx.place.environment}` or `slipway abort {ctx.place.environment}`",
        )


def forget(ctx: Context) -> None:
    """The environment is gone, its database too: the next one of this name begins without releases and migrations."""
    with hold_lease(ctx, f"slipway destroy {ctx.place.environment}") as keeper:
        wanted = ctx.ledger.wanted(ctx.place)
        ctx.ledger.write_wanted(ctx.place, replace(Wanted.initial(), revision=wanted.revision), keeper.lease)
        ctx.ledger.write_schema(ctx.place, Schema(), keeper.lease)
        ctx.ledger.unregister(ctx.place)
