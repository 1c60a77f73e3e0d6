"""Measurements of one colour over one window."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one source measured of one colour; all over the same window."""

    requests: int
    errors: int
    """Answers 5xx and connections that failed at the target."""
    p99_seconds: float | None = None
    """99th percentile of the answer time; None: not measured."""

    @property
    def error_ratio(self) -> float:
        """Errors per request, 0-1; 0 without requests."""
        return min(self.errors / self.requests, 1.0) if self.requests else 0.0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidate and live colour, measured by one source over the same window."""

    source: str
    """`cloudwatch`, `prometheus`, `probe`: named in the verdict."""
    candidate: Sample
    live: Sample | None
    """None: there is no live colour, or the source does not see it."""
    synthetic: bool = False
    """True: a handful of requests of our own, which prove a failure only when most of them fail."""
    required: bool = True
    """False: a source that adds evidence when it has some, and is not missed when it has none."""
