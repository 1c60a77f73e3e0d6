"""How long a user waits for `slipway preview dev` of a stack in which nothing changed: the whole process, on the sandbox."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from slipway.sandbox.paths import SandboxPaths

RUNS = 5
TIMEOUT_SECONDS = 120
ROOT = Path(__file__).parents[2]
REASONS = {3: "the sandbox does not run", 6: "dev is not deployed", 7: "dev is not up to date"}
"""Why there is nothing to measure, by the command's exit code."""


class NotMeasurableError(Exception):
    """There is no deployed, unchanged dev here; the message says what is in the way."""


@dataclass(frozen=True, kw_only=True)
class PreviewFigures:
    """Wall-clock and processor seconds of the runs."""

    seconds: list[float]
    cpu_seconds: list[float]

    @property
    def text(self) -> str:
        """Minimum and median."""
        cpu = statistics.median(self.cpu_seconds)
        return f"{min(self.seconds):.2f} / {statistics.median(self.seconds):.2f} s ({cpu:.2f} s of CPU)"


def measure_preview() -> PreviewFigures:
    """Preview some times; the first run, which may write bytecode, does not count."""
    _preview()
    seconds, cpu_seconds = zip(*(_preview() for _ in range(RUNS)), strict=True)
    return PreviewFigures(seconds=list(seconds), cpu_seconds=list(cpu_seconds))


def _preview() -> tuple[float, float]:
    project = SandboxPaths.from_environment().sandbox / "demo"
    command = [sys.executable, "-m", "slipway.cli", "--sandbox", "--project-dir"]
    command += [str(project if project.is_dir() else ROOT), "preview", "dev", "--expect-no-changes"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    cpu, started = _children_cpu_seconds(), time.perf_counter()
    done = subprocess.run(
        command,
        cwd="/",  # the demo's checkout has a slipway of its own
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["it said nothing"]
        raise NotMeasurableError(REASONS.get(done.returncode, words[0]))
    return seconds, _children_cpu_seconds() - cpu


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
