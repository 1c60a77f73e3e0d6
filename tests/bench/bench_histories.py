"""Random histories of delivery, many of them, on all processors: `python -m tests.bench.bench_histories [how many [first seed]]`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context

from tests.histories import play

HISTORIES = int(os.environ.get("SLIPWAY_HISTORIES", "100000"))
FIRST_SEED = 10_000
CHUNK = 100
CHUNKS_A_PROCESS = 50
"""A new process after so many. `ProcessPoolExecutor` would wait for ever instead: python/cpython#115634."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What became of so many histories."""

    first: int
    count: int
    ways_back: int
    faults: tuple[str, ...]
    seconds: float

    @property
    def text(self) -> str:
        """One line for people, with the seeds."""
        seeds = f"seeds {self.first} to {self.first + self.count - 1}"
        return f"{self.count:,} histories ({seeds}), {self.ways_back:,} ways back timed, {len(self.faults)} failed, {self.seconds:.0f} s"


def play_many(count: int = HISTORIES, first: int = FIRST_SEED) -> Played:
    """Play `count` histories from the seed `first` on; a failed one is a line with its seed."""
    began, ways_back, faults = time.monotonic(), 0, list[str]()
    chunks = [range(seed, min(seed + CHUNK, first + count)) for seed in range(first, first + count, CHUNK)]
    with get_context("spawn").Pool(maxtasksperchild=CHUNKS_A_PROCESS) as pool:
        for number, (found, failed) in enumerate(pool.imap(_play_chunk, chunks), start=1):
            ways_back += found
            faults += failed
            for fault in failed:
                _say(fault)
            if number % 50 == 0:
                _say(f"  {number * CHUNK:,} played, {len(faults)} failed")
    return Played(first=first, count=count, ways_back=ways_back, faults=tuple(faults), seconds=time.monotonic() - began)


def _play_chunk(seeds: range) -> tuple[int, list[str]]:
    ways_back, faults = 0, list[str]()
    for seed in seeds:
        try:
            ways_back += play(seed).ways_back
        except AssertionError as error:
            faults.append(str(error))
    return ways_back, faults


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    played = play_many(*(int(number) for number in sys.argv[1:3]))
    _say(played.text)
    sys.exit(bool(played.faults))
