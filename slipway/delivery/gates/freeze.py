"""Freeze windows: inside one, only ways back are open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from slipway.contract.freeze import FreezeWindow
from slipway.delivery.gates.facts import WAYS_BACK, GateFacts, Refusal


def refuse_frozen(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal for each window that is open now."""
    if facts.kind not in WAYS_BACK:
        yield from find_frozen(facts.environment, facts.freeze_windows, facts.now)


def find_frozen(environment: str, windows: Iterable[FreezeWindow], now: datetime) -> Iterator[Refusal]:
    """The same where there is no release yet, whose image is still to be built."""
    for window in windows:
        closes = window.open_until(now)
        if closes:
            because = f": {window.reason}" if window.reason else ""
            yield Refusal(
                gate="freeze",
                text=f"{environment} is frozen until {closes.isoformat()}{because}",
                remedy="wait until then, or repeat with --force --because REASON if it must be now",
            )
