"""Bringing the stack up, and waiting while somebody else does."""

from __future__ import annotations

from slipway.delivery.events import Notice
from slipway.delivery.ports import Context, StackResult
from slipway.errors import LockedError

STACK_WAIT_SECONDS = 600.0
"""A plain `up` by a colleague may be under way: it obeys the same ledger, so waiting for it is right and failing is not."""
POLL_SECONDS = 2.0


def bring_stack_up(ctx: Context) -> StackResult:
    """`up`, once the stack is free. LockedError when it never is."""
    began = ctx.clock.now()
    told = False
    while True:
        try:
            return ctx.stack.up()
        except LockedError as error:
            now = ctx.clock.now()
            if (now - began).total_seconds() > STACK_WAIT_SECONDS:
                raise
            if not told:
                place = ctx.place
                text = f"the stack is locked, waiting for it: {error.what}"
                ctx.progress(Notice(at=now, environment=place.environment, service=place.service, text=text))
                told = True
            ctx.clock.sleep(POLL_SECONDS)
