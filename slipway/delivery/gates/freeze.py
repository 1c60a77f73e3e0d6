"""Freeze windows: no release begins inside one; going back is always allowed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.target import FreezeWindow
from slipway.errors import UsageError


def refuse_frozen(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal for each window that is open now."""
    if facts.kind is not Kind.RELEASE:
        return
    for window in facts.freeze_windows:
        start, end = window_bounds(window)
        if start <= facts.now < end:
            because = f": {window.reason}" if window.reason else ""
            yield Refusal(
                gate="freeze",
                text=f"{facts.environment} is frozen until {window.end}{because}",
                remedy="wait until then, or release with --force if it must be now",
            )


def window_bounds(window: FreezeWindow) -> tuple[datetime, datetime]:
    """Start and end; UsageError unless both have an offset and the end comes last."""
    try:
        start, end = datetime.fromisoformat(window.start), datetime.fromisoformat(window.end)
    except ValueError as error:
        raise UsageError(f"freeze window: {error}", remedy="write it as 2026-12-23T18:00:00+01:00") from None
    if start.tzinfo is None or end.tzinfo is None:
        raise UsageError(
            f"freeze window {window.start} to {window.end} has no time zone",
            remedy="write it as 2026-12-23T18:00:00+01:00",
        )
    if end <= start:
        raise UsageError(f"freeze window ends at {window.end}, before it starts at {window.start}")
    return start, end
