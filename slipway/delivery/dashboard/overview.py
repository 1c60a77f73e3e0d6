"""What the page shows, read from the ledger, the load balancers and CloudWatch: at most once in a while, however many look at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, cast

from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.model.series import Series, period_seconds
from slipway.delivery.model.status import PlaceStatus
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.ports import Ledger, Place
from slipway.errors import NotFoundError

FRESH_SECONDS = 2.0
"""As long as an answer is given again."""
PERIODS = 120
"""How many periods a chart has: two hours of minutes."""
MINUTE = 60
SHORTEST_PERIOD_SECONDS = 5
LONGEST_HISTORY = 100

Answer = TypeVar("Answer")


class SeriesSource(Protocol):
    """Where traffic over time is read."""

    def series(self, since: datetime, until: datetime, period: int) -> Mapping[Colour, Series]:
        """Both colours, in periods of that many seconds."""
        ...


class Overview:
    """Safe to use from several threads; what several ask at once is read once."""

    def __init__(
        self,
        ledger: Ledger,
        read_places: Callable[[], Sequence[PlaceStatus]],
        source_of: Callable[[Target], SeriesSource],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._read_places = read_places
        self._source_of = source_of
        self.now = now
        self._kept: dict[Hashable, tuple[float, object]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def places(self) -> Sequence[PlaceStatus]:
        """Every place, in the order of promotion. SlipwayError when the ledger cannot be read."""
        return self._fresh("places", FRESH_SECONDS, self._read_places)

    def place(self, environment: str, service: str) -> PlaceStatus:
        """One place; NotFoundError when the ledger has none of that name."""
        for each in self.places():
            if (each.environment, each.service) == (environment, service):
                return each
        raise NotFoundError(f"{service} was never released to {environment}")

    def rollout(self, environment: str, service: str, rollout_id: str) -> Rollout:
        """One rollout, under way or ended; NotFoundError when there is none, or it ended too long ago."""
        place = Place(environment=environment, service=service)
        current = self._ledger.rollout(place)
        if current is not None and current.id == rollout_id:
            return current
        for each in self._ledger.history(place, LONGEST_HISTORY):
            if each.id == rollout_id:
                return each
        raise NotFoundError(f"{place} has no rollout {rollout_id} among its last {LONGEST_HISTORY}")

    def series(self, environment: str, service: str) -> Mapping[Colour, Series]:
        """The place's traffic of late, in periods as long as its rollouts are judged by."""
        period = period_of(self.place(environment, service))

        def read() -> Mapping[Colour, Series]:
            for target in self._ledger.targets():
                if (target.environment, target.service) == (environment, service):
                    until = self.now()
                    until -= timedelta(seconds=until.timestamp() % period)  # a period that goes on looks like a fall
                    return self._source_of(target).series(until - timedelta(seconds=PERIODS * period), until, period)
            raise NotFoundError(f"{service} in {environment} has no load balancer any more")

        return self._fresh((environment, service), max(FRESH_SECONDS, period / 2), read)

    def _fresh(self, key: Hashable, seconds: float, read: Callable[[], Answer]) -> Answer:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            kept = self._kept.get(key)
            if kept is None or time.monotonic() - kept[0] > seconds:
                kept = self._kept[key] = (time.monotonic(), read())
            return cast("Any", kept[1])


def settings_of(place: PlaceStatus) -> RolloutSettings | None:
    """Of the rollout under way, or of the last one; None before the first."""
    rollout = place.rollout or next(iter(place.history), None)
    return rollout.settings if rollout else None


def period_of(place: PlaceStatus) -> int:
    """Seconds: a minute, or less where rollouts are judged by less."""
    settings = settings_of(place)
    window = settings.window_seconds if settings else MINUTE
    return min(max(period_seconds(window), SHORTEST_PERIOD_SECONDS), MINUTE)
