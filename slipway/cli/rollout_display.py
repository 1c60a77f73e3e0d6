"""What a rollout tells people while it runs: one line per change of phase or weight, waits only when they last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from slipway.cli.output import err

if TYPE_CHECKING:
    from slipway.delivery.events import Event

QUIET_SECONDS = 10.0
"""A wait that lasts longer says again what it waits for."""


class RolloutDisplay:
    """Prints delivery's events on standard error. Call it with each event."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._last_text: str = ""
        self._last_told_at = 0.0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        from slipway.delivery.events import Analysed, LogLine, Waiting  # noqa: PLC0415

        if isinstance(event, (Waiting, Analysed)) and not self._verbose:
            if time.monotonic() - self._last_told_at < QUIET_SECONDS:
                return
        elif event.text == self._last_text:
            return
        self._last_text = event.text
        self._last_told_at = time.monotonic()
        indent = "    " if isinstance(event, (LogLine, Waiting, Analysed)) else "  "
        err().print(f"{indent}{event.at.astimezone():%H:%M:%S} {event.environment}: {event.text}", markup=False)
