"""Traffic of one colour over time, as the load balancer counted it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

SHORT_PERIODS_SECONDS = (30, 10, 5, 1)
"""Periods below a minute that CloudWatch knows, for metrics of high resolution."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One period."""

    at: datetime
    """Where the period begins."""
    requests: int = 0
    errors: int = 0
    p99_seconds: float | None = None
    """None: nobody asked."""

    @property
    def error_ratio(self) -> float | None:
        """Errors per request, at most 1; None without requests."""
        return min(self.errors / self.requests, 1.0) if self.requests else None


@dataclass(frozen=True, kw_only=True)
class Series:
    """Equally long periods in a row, without a gap."""

    period_seconds: int
    points: tuple[Point, ...]


def period_seconds(window_seconds: float) -> int:
    """The longest period that CloudWatch accepts and the window holds."""
    if window_seconds >= 60:
        return int(window_seconds // 60) * 60
    return next((period for period in SHORT_PERIODS_SECONDS if period <= window_seconds), 1)
