"""`make bench`: what docs/benchmarks.md reports, as a table. Machines are noisy: compare ratios of one run, and runs of one machine."""

from __future__ import annotations

import os
import platform
import time

from rich.console import Console
from rich.table import Table
from tests.bench.bench_engine import EngineFigures, run_apart

from tests.bench.bench_preview import NotMeasurableError, measure_preview

SMALLEST, SMALL, LARGE = 10, 500, 2000
BASELINE_ROUNDS = 3_000_000


def main() -> None:
    """Measure everything, then print it."""
    console = Console(soft_wrap=True, width=140)
    console.print(_conditions())
    table = Table("what", "figure", "wanted", box=None)
    smallest, small, large = (run_apart(count) for count in (SMALLEST, SMALL, LARGE))
    table.add_row(f"{LARGE:,} resources created, state saved after each step", _rate(large, "create"), "200 a second")
    table.add_row("the same again, nothing changed", _rate(large, "noop"), "200 a second")
    table.add_row("a preview of it", _rate(large, "preview"), "")
    table.add_row("all destroyed", _rate(large, "destroy"), "")
    for operation in ("create", "noop"):
        growth = small.per_second(operation) / large.per_second(operation)
        table.add_row(f"time per resource, {LARGE:,} over {SMALL:,}: {operation}", f"{growth:.2f}", "about 1 (linear)")
    memory = _memory_per_resource(smallest, large) / _memory_per_resource(smallest, small)
    table.add_row(f"memory per resource, {LARGE:,} over {SMALL:,}", f"{memory:.2f}", "about 1 (linear)")
    table.add_row(f"peak of memory, {LARGE:,} resources", f"{large.peak_memory_mib:.0f} MiB", "")
    try:
        preview = measure_preview().text
    except NotMeasurableError as error:
        preview = f"not measured: {error}"
    table.add_row("unchanged dev: slipway preview, min / median of 5", preview, "1.5 s")
    console.print(table)


def _rate(figures: EngineFigures, operation: str) -> str:
    return f"{figures.per_second(operation):.0f} a second"


def _memory_per_resource(empty: EngineFigures, full: EngineFigures) -> float:
    return (full.peak_memory_mib - empty.peak_memory_mib) / (full.resources - empty.resources)


def _conditions() -> str:
    started = time.perf_counter()
    sum(number * number % 7 for number in range(BASELINE_ROUNDS))
    baseline = time.perf_counter() - started
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} before the start, "
        f"{BASELINE_ROUNDS:,} rounds of plain Python in {baseline:.2f} s"
    )


if __name__ == "__main__":
    main()
