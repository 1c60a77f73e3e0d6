"""Telling whoever listens to this process."""

from __future__ import annotations

from slipway.delivery.events import EventFacts, Notice
from slipway.delivery.ports import Context


def facts(ctx: Context, text: str) -> EventFacts:
    """What every event is made with."""
    place = ctx.place
    return {"at": ctx.clock.now(), "environment": place.environment, "service": place.service, "text": text}


def tell(ctx: Context, text: str) -> None:
    """One line for people."""
    ctx.progress(Notice(**facts(ctx, text)))
