"""Bringing the stack up, and waiting while somebody else does."""

from __future__ import annotations

from collections.abc import Callable

from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.ports import Context, StackResult
from slipway.delivery.telling import tell
from slipway.errors import LockedError

STACK_WAIT_SECONDS = 600.0
"""A plain `up` by a colleague may be under way: it obeys the same ledger, so waiting for it is right and failing is not."""
POLL_SECONDS = 2.0


def bring_stack_up(ctx: Context, keeper: LeaseKeeper, *, before: Callable[[], object]) -> StackResult:
    """`up`, once the stack is free. LockedError when it never is, LeaseLostError once somebody else is at work here.

    `before` is called just before each attempt: an `up` of somebody else, which began with an older ledger, may have ended meanwhile.
    """
    began = ctx.clock.monotonic()
    told = False
    while True:
        keeper.confirm()
        before()
        try:
            return ctx.stack.up()
        except LockedError as error:
            if ctx.clock.monotonic() - began > STACK_WAIT_SECONDS:
                raise
            if not told:
                tell(ctx, f"the stack is locked, waiting for it: {error.what}")
                told = True
            ctx.clock.sleep(POLL_SECONDS)
