"""A clock that moves only when somebody sleeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slipway.delivery.ports import Clock

MOST_SLEEPS = 1_000_000
"""Whoever has slept so often waits for what never comes."""


class EndlessError(Exception):
    """What waits in a simulated world does not end. Nothing of delivery's catches it."""


@dataclass
class _Timer:
    due: float
    seconds: float
    action: Callable[[], None]


class ManualClock:
    """Implements `ports.Clock` without waiting."""

    def __init__(
        self,
        start: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
        *,
        most_seconds: float = math.inf,
        most_sleeps: int = MOST_SLEEPS,
    ) -> None:
        self._start = start
        self._most_seconds, self._most_sleeps, self._sleeps = most_seconds, most_sleeps, 0
        self._passed = 0.0
        self._timers: list[_Timer] = []

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Let time pass at once, and let what is to be repeated happen in it. EndlessError once more has passed than may."""
        self._sleeps += 1
        if self._sleeps > self._most_sleeps or self._passed > self._most_seconds:
            raise EndlessError(f"no end after {self._sleeps:,} sleeps and {self._passed:,.0f} s{self.at_work()}")
        until = self._passed + seconds
        while timer := min(
            (each for each in self._timers if each.due <= until), key=lambda each: each.due, default=None
        ):
            self._passed = timer.due
            timer.due += timer.seconds
            timer.action()
        self._passed = until

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing is to be repeated so soon."""
        return not any(each.due <= self._passed + seconds for each in self._timers)

    def at_work(self) -> str:
        """Who has not ended, for the error; "": nobody knows."""
        return ""

    def repeat(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """See `Clock.repeat`."""
        timer = _Timer(self._passed + seconds, seconds, action)
        self._timers.append(timer)
        return lambda: self._timers.remove(timer)


class SkewedClock:
    """Implements `ports.Clock` for a machine whose clock is ahead of the others', or behind."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)
        self.monotonic, self.sleep, self.repeat = clock.monotonic, clock.sleep, clock.repeat
        self._now = clock.now

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._now() + self._ahead
