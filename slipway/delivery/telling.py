"""Telling whoever listens to this process, and those whom the stack names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.delivery.events import Event, EventFacts, Notice
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.model.target import Target
from slipway.delivery.notifications import facts_of, notification_names
from slipway.delivery.ports import Context
from slipway.delivery.targeting import known_target, remembered_target
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


class Outbox:
    """Implements `ports.Notifier` for what must not wait: all is kept until `flush`. Only then is the stack asked, which alone knows every
    address, and nobody is held up any more by who does not answer."""

    def __init__(self, ctx: Context, *, urgent: bool = False) -> None:
        """`urgent`: of a verb that brings traffic back, which flushes at its end only."""
        self.urgent = urgent
        self._ctx = ctx
        self._kept: list[tuple[str, Event, Mapping[str, Any]]] = []

    def notify(self, name: str, event: Event, facts: Mapping[str, Any]) -> None:
        """See `Notifier.notify`."""
        self._kept.append((name, event, facts))

    def flush(self) -> None:
        """See `Notifier.flush`."""
        kept, self._kept = self._kept, []
        try:
            target = _addressed(self._ctx) if kept else None
            notifier = self._ctx.connect(target).notifier if target else None
        except SlipwayError:
            return  # status shows how things stand
        if notifier is None:
            return
        for name, event, facts in kept:
            notifier.notify(name, event, facts)
        notifier.flush()


def announce(ctx: Context, event: Event, outbox: Outbox) -> None:
    """An event outside of a rollout's own run, with its notifications."""
    ctx.progress(event)
    for name in notification_names(event):
        outbox.notify(name, event, facts_of(event))
    if not outbox.urgent:
        outbox.flush()


def _addressed(ctx: Context) -> Target | None:
    try:
        return known_target(ctx)
    except SlipwayError:
        return remembered_target(ctx)
