"""Doing what is owed: after the traffic, one thing after the other, none of them in the way of anything."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import replace

from slipway.delivery.converging import bring_stack_up
from slipway.delivery.drift import refuse_drift, repair_drift
from slipway.delivery.errors import LeaseLostError, ReleaseRolledBackError
from slipway.delivery.events import StillOwed
from slipway.delivery.filling import follow_backfill
from slipway.delivery.leasing import GRACE_SECONDS, LeaseKeeper, Patience, hold_lease
from slipway.delivery.model.owed import RECORDS, Debt, Owed
from slipway.delivery.ports import Context
from slipway.delivery.recording import record_rehearsed, record_rejected, record_verified
from slipway.delivery.resizing import end_floors, follow_floors
from slipway.delivery.targeting import known_balancer, refuse_other_account
from slipway.delivery.telling import announce, facts, tell
from slipway.errors import SlipwayError

PAID = (*RECORDS, Debt.CAPACITY, Debt.UP, Debt.BACKFILL)
"""What every verb tries once its own work is done."""
SETTLE_SECONDS = 2.0
"""From the end of a rollout to the look before its `up`: a move that the load balancer had taken, and not yet made, shows by then."""


@contextmanager
def at_work(
    ctx: Context,
    purpose: str,
    *,
    urgent: bool = False,
    grace_seconds: float = GRACE_SECONDS,
    patience: Patience | None = None,
) -> Generator[LeaseKeeper]:
    """The lease for a verb. Records that are owed are written first, the rest is tried once the verb's own work is done.

    Credentials of another account are refused before: they would stop who is at work here, and could do nothing themselves.
    """
    refuse_other_account(ctx)
    with hold_lease(ctx, purpose, urgent=urgent, grace_seconds=grace_seconds, patience=patience) as keeper:
        if not urgent:  # there is something to go back from, so it is there
            ctx.ledger.ensure(ctx.place)
        pay(ctx, keeper, RECORDS)
        try:
            yield keeper
        except ReleaseRolledBackError:
            pay(ctx, keeper)
            raise
        pay(ctx, keeper)


def pay(ctx: Context, keeper: LeaseKeeper, debts: Collection[Debt] = PAID) -> None:
    """Try what is owed. What fails stays owed, with its reason, and is told: the traffic is decided, so nothing is raised."""
    try:
        if Debt.CAPACITY in debts:
            end_floors(ctx, keeper)
        for item in ctx.ledger.owed(ctx.place):
            if item.debt in debts:
                _try(ctx, keeper, item)
    except LeaseLostError:
        tell(ctx, "another process has taken over; what is owed is left to it")
    except SlipwayError as error:
        tell(ctx, f"what is owed cannot be looked at now, and stays owed: {error.what}")


def forgive(ctx: Context, keeper: LeaseKeeper, debt: Debt, release: str = "") -> None:
    """It has been done, or is wanted no more."""
    owed = ctx.ledger.owed(ctx.place)
    left = [item for item in owed if (item.debt, item.release) != (debt, release)]
    if len(left) < len(owed):
        ctx.ledger.write_owed(ctx.place, left, keeper.lease)


def _try(ctx: Context, keeper: LeaseKeeper, item: Owed) -> None:
    keeper.confirm()
    try:
        done = _do(ctx, keeper, item)
    except LeaseLostError:
        raise
    except SlipwayError as error:
        failed = replace(item, attempts=item.attempts + 1, problem=error.what)
        left = [
            failed if (each.debt, each.release) == (item.debt, item.release) else each
            for each in ctx.ledger.owed(ctx.place)
        ]
        ctx.ledger.write_owed(ctx.place, left, keeper.lease)
        text = f"owed: {failed.text}; the next verb tries again, `slipway resume {ctx.place.environment}` at once"
        announce(ctx, StillOwed(**facts(ctx, text)), keeper.outbox)
    else:
        if done:
            forgive(ctx, keeper, item.debt, item.release)


def _do(ctx: Context, keeper: LeaseKeeper, item: Owed) -> bool:
    """Whether it is done; what is not goes on by itself."""
    if item.debt is Debt.VERIFIED:
        record_verified(ctx, item)
    elif item.debt is Debt.REJECTED:
        record_rejected(ctx, item)
    elif item.debt is Debt.REHEARSED:
        record_rehearsed(ctx, item)
    elif item.debt is Debt.CAPACITY:
        follow_floors(ctx, keeper)
    elif item.debt is Debt.BACKFILL:
        return follow_backfill(ctx, keeper, item)
    else:
        _bring_up(ctx, keeper, item)
    return True


def _bring_up(ctx: Context, keeper: LeaseKeeper, item: Owed) -> None:
    passed = (ctx.clock.now() - item.since).total_seconds()
    seconds = max(SETTLE_SECONDS, ctx.cadence.settle_seconds)
    if 0 <= passed < seconds:  # less than 0: another clock's
        ctx.clock.sleep(seconds - passed)
    balancer = known_balancer(ctx)

    def look() -> None:
        if keeper.sets_weights:
            repair_drift(ctx, keeper, balancer)
        else:  # a person has moved them, maybe off a bad release: the `up` stays owed
            refuse_drift(ctx, balancer)

    bring_stack_up(ctx, keeper, before=look)
