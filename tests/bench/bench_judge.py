"""How often the judge errs and how long it takes, beside fixed thresholds, on the same simulated traffic.

`python -m tests.bench.bench_judge [ROLLOUTS]` prints the table of docs/judge.md, made from so many rollouts of each kind.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from slipway.delivery.model.rollout import Phase
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.testing.traffic import START, NoisyTraffic, analyse_rollout

MINUTE = 60
"""Fixed thresholds look each minute, as their documentation has it; ours, too, below ten requests a second, else each ten seconds."""
SHARES = (10, 50, 100)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One kind of rollout: both colours' true error ratios, their traffic, and the length of a step."""

    limit: float
    candidate: float
    live: float
    requests_per_second: float
    bake_seconds: int

    def traffic(self, seed: int) -> NoisyTraffic:
        """Its requests."""
        return NoisyTraffic(
            requests_per_second=self.requests_per_second,
            candidate_ratio=self.candidate,
            live_ratio=self.live,
            seed=f"{self} {seed}",  # of each cell its own, or one stroke of luck would be seen in every row
        )


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one simulated rollout ended."""

    turned_back: bool
    seconds: float


def judge_as_slipway(max_extensions: int) -> Callable[[Cell, int], Ending]:
    """Ours, with so many extensions of the last step at most."""

    def run(cell: Cell, seed: int) -> Ending:
        settings = RolloutSettings(
            steps=SHARES,
            bake_seconds=cell.bake_seconds,
            max_error_ratio=cell.limit,
            analysis_interval_seconds=MINUTE if cell.requests_per_second < 10 else max(10, cell.bake_seconds // 10),
            max_extensions=max_extensions,
        )
        ended = analyse_rollout(settings, cell.traffic(seed))
        seconds = (ended.phase_started_at - START).total_seconds()
        return Ending(turned_back=ended.phase is Phase.RETURNING, seconds=seconds)

    return run


def _failed_minutes(cell: Cell, seed: int, *, holds: bool) -> Iterator[tuple[float, int]]:
    """Seconds and failed checks so far, after each check of the last minute. A minute without requests is skipped.

    `holds`: a failed check keeps the candidate at its share.
    """
    traffic, failures, seconds = cell.traffic(seed), 0, 0.0
    for percent in SHARES:
        left = cell.bake_seconds
        while left > 0:
            before = traffic.candidate
            traffic.flow(MINUTE, percent)
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
    "Slipway, until certain": judge_as_slipway(1_000_000),
    "Slipway, 5 extensions": judge_as_slipway(5),
    "Argo, limit 0": judge_as_argo(0),
    "Argo, limit 3": judge_as_argo(3),
    "Flagger, threshold 5": judge_as_flagger,
}
LIMITS = (0.001, 0.005, 0.01)
RATES = (1, 20, 200)
BAKES = (60, 300)
WITHIN = (0.1, 0.5, 0.9)
"""True error ratios of both colours, as shares of the limit, of releases that must not be turned back."""
TWICE, GROSS = 2.0, 20.0
"""Of releases that must be, beside a live colour at a tenth of the limit."""


CPU_SECONDS = 2.5
"""For one figure: where a release takes hours to be certain, fewer rollouts are simulated."""


@dataclass
class Tally:
    """What all rows say together."""

    within: int = 0
    turned_back: int = 0
    worse: int = 0
    missed: int = 0


def table(rollouts: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    tallies = {name: Tally() for name in JUDGES}
    yield "| limit | requests/s | step | " + " | ".join(JUDGES) + " |"
    yield "|---|---|---|" + "---|" * len(JUDGES)
    for limit in LIMITS:
        for rate in RATES:
            for bake in BAKES:

                def cell(
                    candidate: float, live: float, limit: float = limit, rate: int = rate, bake: int = bake
                ) -> Cell:
                    ratios = {"candidate": limit * candidate, "live": limit * live}
                    return Cell(limit=limit, requests_per_second=rate, bake_seconds=bake, **ratios)

                figures = [_figures(cell, judged, rollouts, tallies[name]) for name, judged in JUDGES.items()]
                yield f"| {limit:.1%} | {rate} | {bake} s | " + " | ".join(figures) + " |"
    summed = [f"{tally.turned_back} of {tally.within}; {tally.missed} of {tally.worse}" for tally in tallies.values()]
    yield "| all | | | " + " | ".join(summed) + " |"


def _figures(
    cell: Callable[[float, float], Cell], judged: Callable[[Cell, int], Ending], rollouts: int, tally: Tally
) -> str:
    """False alarms in percent; misses in percent and seconds at twice the limit; seconds at 20 times; of a good rollout."""
    good = [_simulate(cell(share, share), judged, rollouts) for share in WITHIN]
    twice, gross = (_simulate(cell(share, 0.1), judged, rollouts) for share in (TWICE, GROSS))
    false = [sum(ending.turned_back for ending in endings) for endings in good]
    missed = sum(not ending.turned_back for ending in twice)
    tally.within += sum(map(len, good))
    tally.turned_back += sum(false)
    tally.worse += len(twice)
    tally.missed += missed
    shares = " / ".join(f"{100 * count / len(endings):.1f}" for count, endings in zip(false, good, strict=True))
    return (
        f"{shares}; {100 * missed / len(twice):.1f}, {_median(twice, back=True)};"
        f" {_median(gross, back=True)}; {_median(good[1], back=False)}"
    )


def _simulate(cell: Cell, judged: Callable[[Cell, int], Ending], rollouts: int) -> list[Ending]:
    endings: list[Ending] = []
    began = time.process_time()
    while len(endings) < rollouts and (len(endings) < 20 or time.process_time() - began < CPU_SECONDS):
        endings.append(judged(cell, len(endings)))
    return endings


def _median(endings: Sequence[Ending], *, back: bool) -> str:
    seconds = [ending.seconds for ending in endings if ending.turned_back is back]
    return f"{statistics.median(seconds):.0f} s" if seconds else "-"


if __name__ == "__main__":
    for line in table(int(sys.argv[1]) if sys.argv[1:] else 200):
        print(line, flush=True)  # noqa: T201 - the table is the result
