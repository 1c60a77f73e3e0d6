"""Which weights held when, and what a load balancer's metrics make of that: counted by the minute, and published late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from slipway.delivery.model.analysis import Sample
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.rollout import last_period


@dataclass(kw_only=True)
class WeightsHistory:
    """Every change of the weights, oldest first."""

    changes: list[tuple[datetime, Weights]] = field(default_factory=list[tuple[datetime, Weights]])

    def note(self, at: datetime, weights: Weights) -> None:
        """The weights that hold from now on."""
        self.changes.append((at, weights))

    def share_seconds(self, colour: Colour, since: datetime, until: datetime) -> float:
        """The colour's share of the traffic, as a part of 1, times the seconds that it had it."""
        ends = [*(at for at, _ in self.changes[1:]), until]
        spans = (
            (max(at, since), min(end, until), weights) for (at, weights), end in zip(self.changes, ends, strict=False)
        )
        return sum(
            (end - begin).total_seconds() * weights.of(colour) / 100 for begin, end, weights in spans if end > begin
        )


@dataclass(frozen=True, kw_only=True)
class PublishedCounts:
    """CloudWatch's way: a period's count has the time of its begin, and is there once the period is over, and the delay."""

    period_seconds: float = 60.0
    delay_seconds: float = 120.0

    def sample(
        self,
        requests: Callable[[datetime, datetime], float],
        errors: float,
        span: tuple[datetime, datetime],
        now: datetime,
    ) -> Sample:
        """The sum of the periods that begin in the span, that of its begin included, and are published."""
        period, total = timedelta(seconds=self.period_seconds), 0.0
        begin = last_period(span[0], self.period_seconds)
        while begin < span[1] and begin + period + timedelta(seconds=self.delay_seconds) <= now:
            total += requests(begin, begin + period)
            begin += period
        return Sample(requests=int(total), errors=int(total * errors), slow=0)
