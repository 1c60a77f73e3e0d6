"""Metrics of the last hour, in memory: per second, how often each value occurred. So percentiles are those of true values."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

RETENTION_SECONDS = 3600
NAMESPACE = "AWS/ApplicationELB"
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


class Pace(StrEnum):
    """When a value can be read."""

    LIVE = "live"
    """At once, in its second."""
    AWS = "aws"
    """As an ALB's: with all others of its minute, at the minute's begin, two minutes after its end."""


MINUTE_SECONDS = 60
LATE_SECONDS = 120
"""After a minute's end, at the pace of AWS: what docs/real-account.md plans with. AWS documents no figure."""


@dataclass(frozen=True)
class Series:
    """A metric of one account and region. Dimensions have no order."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@dataclass
class Values:
    """How often each value occurred, and statistic sets, whose single values nobody knows."""

    counts: dict[float, float] = field(default_factory=dict[float, float])
    set_count: float = 0
    set_sum: float = 0
    set_bounds: list[float] = field(default_factory=list[float])

    def add(self, value: float, count: float = 1) -> None:
        """Count a value."""
        self.counts[value] = self.counts.get(value, 0) + count

    def add_set(self, count: float, total: float, minimum: float, maximum: float) -> None:
        """Count a statistic set. CloudWatch: percentiles know it only when all of its values are equal."""
        if minimum == maximum:
            self.add(minimum, count)
            return
        self.set_count += count
        self.set_sum += total
        self.set_bounds += [minimum, maximum]

    def merge(self, other: Values) -> None:
        """Add everything in `other`."""
        for value, count in other.counts.items():
            self.add(value, count)
        self.set_count += other.set_count
        self.set_sum += other.set_sum
        self.set_bounds += other.set_bounds

    def statistic(self, name: str) -> float | None:
        """`Sum`, `p99`, `p99.9`, `TC(0.5:)` and the like; None when these values have no such statistic."""
        count = sum(self.counts.values()) + self.set_count
        total = sum(value * times for value, times in self.counts.items()) + self.set_sum
        if not count:
            return None
        if name in ("Minimum", "Maximum"):
            return (min if name == "Minimum" else max)([*self.counts, *self.set_bounds])
        if name in STATISTICS:
            return {"SampleCount": count, "Sum": total, "Average": total / count}[name]
        if self.set_count:
            return None
        bounds = trimmed_count_of(name)
        if bounds:
            return sum(times for value, times in self.counts.items() if bounds[0] < value <= bounds[1])
        percent = percentile_of(name)
        return None if percent is None else self._percentile(percent)

    def _percentile(self, percent: float) -> float:
        """Nearest rank: a value that really occurred, with at least `percent` % of all at or below it."""
        needed, seen = percent / 100 * sum(self.counts.values()), 0.0
        ordered = sorted(self.counts)
        for value in ordered:
            seen += self.counts[value]
            # A hair of tolerance: 29 % of 100 is 28.999999999999996.
            if seen >= needed - 1e-9:
                return value
        return ordered[-1]


def percentile_of(statistic: str) -> float | None:
    """99.9 of `p99.9`; None when it is no percentile from p0 to p100."""
    if not re.fullmatch(r"p\d{1,3}(\.\d{1,10})?", statistic):
        return None
    percent = float(statistic[1:])
    return percent if percent <= 100 else None


def trimmed_count_of(statistic: str) -> tuple[float, float] | None:
    """0.5 and infinity of `TC(0.5:)`: the lower bound is left out, the upper one is not; None when it is no trimmed count of values."""
    found = re.fullmatch(r"TC\((\d+(?:\.\d+)?)?:(\d+(?:\.\d+)?)?\)", statistic)
    if not found or not (found[1] or found[2]):
        return None
    return float(found[1] or -math.inf), float(found[2] or math.inf)


class Metrics:
    """All series of the sandbox's own making. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.pace = Pace.LIVE
        self._clock = clock
        self._lock = threading.Lock()
        self._series: dict[Series, deque[tuple[int, Values]]] = {}

    def add(self, series: Series, timestamp: float, value: float) -> None:
        """Count a value in its second; seconds may come a little out of order."""
        second = int(timestamp)
        with self._lock:
            kept = self._series.setdefault(series, deque())
            position = len(kept)
            while position and kept[position - 1][0] > second:
                position -= 1
            if not position or kept[position - 1][0] != second:
                kept.insert(position, (second, Values()))
                position += 1
            kept[position - 1][1].add(value)

    def forget_old(self) -> None:
        """Drop what is older than an hour."""
        oldest = self._clock() - RETENTION_SECONDS
        with self._lock:
            for series, kept in list(self._series.items()):
                while kept and kept[0][0] < oldest:
                    kept.popleft()
                if not kept:
                    del self._series[series]

    def series(self, account: str, region: str) -> list[Series]:
        """Every series of an account and region that has values."""
        with self._lock:
            return [series for series in self._series if (series.account, series.region) == (account, region)]

    def delay_seconds(self, namespace: str) -> int:
        """How long after a minute's end its values can be read."""
        return LATE_SECONDS if self.pace is Pace.AWS and namespace == NAMESPACE else 0

    def read(self, series: Series, start: float, end: float) -> list[tuple[float, Values]]:
        """The seconds from `start` up to, not including, `end`, each with its values; at the pace of AWS the minutes."""
        pace, readable = self.pace, self._clock() - LATE_SECONDS - MINUTE_SECONDS
        found: dict[float, Values] = {}
        with self._lock:
            for second, values in self._series.get(series, ()):
                begin = float(second if pace is Pace.LIVE else second // MINUTE_SECONDS * MINUTE_SECONDS)
                if start <= begin < end and (pace is Pace.LIVE or begin <= readable):
                    found.setdefault(begin, Values()).merge(values)
        return list(found.items())


def by_period(points: Iterable[tuple[float, Values]], start: float, period_seconds: int) -> Mapping[float, Values]:
    """Values by the begin of their period, oldest first; periods are counted from `start`."""
    periods: dict[float, Values] = {}
    for timestamp, values in sorted(points, key=lambda point: point[0]):
        begin = start + (timestamp - start) // period_seconds * period_seconds
        periods.setdefault(begin, Values()).merge(values)
    return periods
