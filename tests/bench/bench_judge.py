"""How often the judge errs and how long it takes, beside fixed thresholds, on the same simulated traffic.

`python -m tests.bench.bench_judge [ROLLOUTS]`: a table for docs/judge.md. Ours is the real judge and the real state machine, driven by counts.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from slipway.delivery.analysis.judge import judge
from slipway.delivery.analysis.measuring import measure, with_measurement
from slipway.delivery.machine import decide
from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.decision import Act, Enter
from slipway.delivery.model.observation import BalancerState, Observation
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.planning import begin_rollout
from slipway.delivery.ports import Place

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TICK = 10
"""Seconds between two looks of ours; fixed thresholds look each MINUTE, as their documentation has it."""
MINUTE = 60
SHARES = (10, 50, 100)
LONGEST_SECONDS = 7 * 24 * 3600
LIVE = ColourRelease(release="r-1", image="orders@sha256:" + "0" * 64, version="1")
NEW = ColourRelease(release="r-2", image="orders@sha256:" + "1" * 64, version="2")
BEFORE = Wanted(live=Colour.BLUE, test=Colour.GREEN, blue=LIVE, green=NEW, weights=Weights(blue=100, green=0), revision=1)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One kind of rollout: both colours' true error ratios, their traffic, and the length of a step."""

    limit: float
    candidate: float
    live: float
    requests_per_second: float
    bake_seconds: int
    max_extensions: int = 100_000


@dataclass(kw_only=True)
class Traffic:
    """Requests and errors so far, drawn with the cell's true ratios. The same seed and schedule give the same ones."""

    cell: Cell
    dice: random.Random
    candidate: Sample = field(default_factory=lambda: Sample(slow=0))
    live: Sample = field(default_factory=lambda: Sample(slow=0))

    def flow(self, seconds: float, percent: int) -> None:
        """Let time pass with this share of the traffic at the candidate."""
        whole = self.cell.requests_per_second * seconds
        self.candidate = self.candidate.plus(self._draw(whole * percent / 100, self.cell.candidate))
        self.live = self.live.plus(self._draw(whole * (100 - percent) / 100, self.cell.live))

    def _draw(self, expected: float, ratio: float) -> Sample:
        requests = int(expected) + (self.dice.random() < expected % 1)
        errors, position = 0, 0
        while (position := position + 1 + int(math.log(1 - self.dice.random()) / math.log1p(-ratio))) <= requests:
            errors += 1  # from one error to the next, the distance is geometric
        return Sample(requests=requests, errors=errors, slow=0)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one simulated rollout ended."""

    turned_back: bool
    seconds: float


class Source:
    """Implements `ports.Metrics` over the traffic since the step began."""

    source = "simulated"

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.begin()

    def begin(self) -> None:
        """Count from now."""
        self._since = (self.traffic.candidate, self.traffic.live)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        candidate_sample = self.traffic.candidate.minus(self._since[0])
        return Comparison(source=self.source, candidate=candidate_sample, live=self.traffic.live.minus(self._since[1]))


def judge_sequentially(cell: Cell, seed: int) -> Ending:
    """Ours."""
    traffic, now = Traffic(cell=cell, dice=random.Random(seed)), START
    source, rollout = Source(traffic), _rollout(cell)
    while rollout.phase in {Phase.SHIFTING, Phase.BAKING}:
        verdict = None
        wanted = replace(BEFORE, weights=rollout.weights)
        if rollout.phase is Phase.BAKING and (measurement := measure(rollout, [source], now)):
            verdict = judge((*rollout.measurements, measurement), rollout.settings, rollout.steps)
            rollout = with_measurement(rollout, replace(measurement, verdict=verdict.kind))
        state = BalancerState(weights=rollout.weights, test=Colour.GREEN)
        decision = decide(rollout, Observation(wanted=wanted, balancer=state, verdict=verdict), now)
        if isinstance(decision, Enter):
            if rollout.phase is Phase.SHIFTING:
                source.begin()
            rollout = decision.rollout
        elif not isinstance(decision, Act):
            traffic.flow(decision.seconds, rollout.weights.green)
            now += timedelta(seconds=decision.seconds)
        if (now - START).total_seconds() > LONGEST_SECONDS:
            break
    return Ending(turned_back=rollout.phase is Phase.RETURNING, seconds=(now - START).total_seconds())


def _rollout(cell: Cell) -> Rollout:
    settings = RolloutSettings(
        steps=SHARES,
        bake_seconds=cell.bake_seconds,
        max_error_ratio=cell.limit,
        analysis_interval_seconds=TICK,
        max_extensions=cell.max_extensions,
    )
    place = Place(environment="bench", service="orders")
    begun = begin_rollout(
        kind=Kind.RELEASE, place=place, actor="bench", now=START, wanted=BEFORE, candidate=NEW, settings=settings
    )
    return replace(begun, phase=Phase.SHIFTING)


def _failed_minutes(cell: Cell, seed: int, *, holds: bool) -> Iterator[tuple[float, int]]:
    """Seconds and failed checks so far, after each check of the last minute. A minute without requests is skipped.

    `holds`: a failed check keeps the candidate at its share.
    """
    traffic = Traffic(cell=cell, dice=random.Random(seed))
    failures, seconds = 0, 0.0
    for percent in SHARES:
        left = cell.bake_seconds
        while left > 0:
            before = traffic.candidate
            for _ in range(MINUTE // TICK):
                traffic.flow(TICK, percent)
            seconds, left = seconds + MINUTE, left - MINUTE
            seen = traffic.candidate.minus(before)
            failed = seen.errors > cell.limit * seen.requests
            failures += failed
            left += MINUTE if failed and holds else 0
            yield seconds, failures


def judge_as_argo(limit: int) -> Callable[[Cell, int], Ending]:
    """Argo Rollouts' background analysis: interval 60s, failureLimit as given (0 is the default, 3 its documentation's example)."""

    def run(cell: Cell, seed: int) -> Ending:
        seconds = 0.0
        for seconds, failures in _failed_minutes(cell, seed, holds=False):
            if failures > limit:
                return Ending(turned_back=True, seconds=seconds)
        return Ending(turned_back=False, seconds=seconds)

    return run


def judge_as_flagger(cell: Cell, seed: int) -> Ending:
    """Flagger: interval 1m, threshold 5 (its documentation's example); a failed check holds the step."""
    seconds = 0.0
    for seconds, failures in _failed_minutes(cell, seed, holds=True):
        if failures >= 5:
            return Ending(turned_back=True, seconds=seconds)
    return Ending(turned_back=False, seconds=seconds)


JUDGES: Mapping[str, Callable[[Cell, int], Ending]] = {
    "slipway": judge_sequentially,
    "argo, limit 0": judge_as_argo(0),
    "argo, limit 3": judge_as_argo(3),
    "flagger": judge_as_flagger,
}
LIMITS = (0.001, 0.005, 0.01)
RATES = (1, 10, 50, 200)
BAKES = (60, 300)


def rate_of(cell: Cell, judged: Callable[[Cell, int], Ending], rollouts: int) -> tuple[float, list[float]]:
    """Which share was turned back, and after how many seconds each."""
    endings = [judged(cell, seed) for seed in range(rollouts)]
    seconds = [ending.seconds for ending in endings if ending.turned_back]
    return len(seconds) / rollouts, seconds


def table(rollouts: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    names = list(JUDGES)
    yield (
        "| limit | requests/s | step | "
        + " | ".join(f"{name}: false 0.1 / 0.5 / 0.9, missed, seconds" for name in names)
        + " |"
    )
    yield "|---|---|---|" + "---|" * len(names)
    for limit in LIMITS:
        for rate in RATES:
            for bake in BAKES:
                cells = [_row(limit, rate, bake, judged, rollouts) for judged in JUDGES.values()]
                yield f"| {limit:.1%} | {rate} | {bake} s | " + " | ".join(cells) + " |"


def _row(limit: float, rate: float, bake: int, judged: Callable[[Cell, int], Ending], rollouts: int) -> str:
    def cell(candidate: float, live: float) -> Cell:
        return Cell(
            limit=limit, candidate=limit * candidate, live=limit * live, requests_per_second=rate, bake_seconds=bake
        )

    false = [rate_of(cell(share, share), judged, rollouts)[0] for share in (0.1, 0.5, 0.9)]
    caught, seconds = rate_of(cell(2.0, 0.5), judged, rollouts)
    median = f"{statistics.median(seconds):.0f}" if seconds else "–"
    return f"{' / '.join(f'{share:.1%}' for share in false)}, {1 - caught:.1%}, {median}"


if __name__ == "__main__":
    for line in table(int(sys.argv[1]) if sys.argv[1:] else 1000):
        print(line, flush=True)  # noqa: T201 - the table is the result
