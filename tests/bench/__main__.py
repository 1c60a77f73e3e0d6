"""`make bench`: what docs/benchmarks.md reports, as a table. Machines are noisy: compare ratios of one run, and runs of one machine."""

from __future__ import annotations

import os
import platform
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from tests.bench.bench_api import measure_calls
from tests.bench.bench_histories import HISTORIES, play_many
from tests.bench.bench_judge import table as judge_table
from tests.bench.bench_preview import NotMeasurableError, measure_previews

JUDGED_ROLLOUTS = 100
BASELINE_ROUNDS = 3_000_000


def main() -> None:
    """Measure everything, then print it."""
    console = Console(soft_wrap=True, width=140)
    console.print(_conditions())
    table = Table("what", "figure", "wanted", box=None)
    try:
        figures = measure_previews()
    except NotMeasurableError as error:
        table.add_row("preview of the unchanged dev", f"not measured: {escape(str(error))}", "")
    else:
        table.add_row("preview of the unchanged dev: `pulumi preview -s dev`", figures.pulumi.text, "4 s")
        table.add_row("the same: `slipway preview dev`, policies included", figures.slipway.text, "")
        table.add_row("slipway over pulumi, medians", f"{figures.ratio:.2f}", "1.2")
        environ = sandbox_environment(SandboxPaths.from_environment())
        table.add_row("a message sent to a queue of the sandbox's AWS API", measure_calls(environ), "10 ms")
    console.print(table)
    console.print("\nThe judge, as docs/judge.md explains it (minutes):\n")
    for line in judge_table(JUDGED_ROLLOUTS):
        console.print(line, markup=False)
    console.print(
        f"\nDelivery in a mean world, {HISTORIES:,} histories (SLIPWAY_HISTORIES says how many; 100,000 take half an hour on 2 cores):\n"
    )
    console.print(play_many().text, markup=False)


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
