"""Telling whoever listens to this process, and those whom the stack names."""

from __future__ import annotations

from slipway.delivery.events import Event, EventFacts, Notice
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.notifications import facts_of, notification_names
from slipway.delivery.ports import Context
from slipway.delivery.targeting import known_target
from slipway.errors import SlipwayError


def facts(ctx: Context, text: str) -> EventFacts:
    """What every event is made with."""
    place = ctx.place
    return {"at": ctx.clock.now(), "environment": place.environment, "service": place.service, "text": text}


def title_of(rollout: Rollout) -> str:
    """What a rollout is about, when it begins or goes on."""
    what = f"{rollout.candidate.release} ({rollout.candidate.version})" if rollout.candidate else "nothing"
    return f"{rollout.kind}: {rollout.colour} shall run {what}"


def tell(ctx: Context, text: str) -> None:
    """One line for people."""
    ctx.progress(Notice(**facts(ctx, text)))


def announce(ctx: Context, event: Event) -> None:
    """An event outside of a rollout's own run, with its notifications."""
    ctx.progress(event)
    try:
        target = known_target(ctx)
    except SlipwayError:
        return  # the stack is what fails; status shows how things stand
    if target:
        notifier = ctx.connect(target).notifier
        for name in notification_names(event):
            notifier.notify(name, event, facts_of(event))
        notifier.flush()
