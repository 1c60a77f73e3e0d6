"""How long a user waits for a preview of a stack in which nothing changed: the whole process, on the sandbox, ours and Pulumi's in turn."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths

RUNS = 7
TIMEOUT_SECONDS = 120
ROOT = Path(__file__).parents[2]


class NotMeasurableError(Exception):
    """There is no deployed, unchanged dev here; the message says what is in the way."""


@dataclass
class Runs:
    """Wall-clock and processor seconds of one command's runs."""

    seconds: list[float] = field(default_factory=list[float])
    cpu_seconds: list[float] = field(default_factory=list[float])

    @property
    def median(self) -> float:
        """Of the wall-clock seconds."""
        return statistics.median(self.seconds)

    @property
    def text(self) -> str:
        """Minimum and median."""
        cpu = statistics.median(self.cpu_seconds)
        return (
            f"{min(self.seconds):.2f} / {self.median:.2f} s ({cpu:.2f} s of CPU), min / median of {len(self.seconds)}"
        )


@dataclass(frozen=True, kw_only=True)
class PreviewFigures:
    """Both commands, run in turn."""

    pulumi: Runs
    slipway: Runs

    @property
    def ratio(self) -> float:
        """How much longer ours takes."""
        return self.slipway.median / self.pulumi.median


def measure_previews() -> PreviewFigures:
    """Preview some times; the first runs, which may write bytecode, do not count."""
    paths = SandboxPaths.from_environment()
    demo = paths.sandbox / "demo"
    project = str(demo if demo.is_dir() else ROOT)
    environ = {**os.environ, **sandbox_environment(paths)}
    pulumi = ["pulumi", "--cwd", project, "preview", "--stack", "dev", "--expect-no-changes"]
    slipway = [sys.executable, "-m", "slipway.cli", "--sandbox", "--project-dir", project, "preview", "dev"]
    figures = PreviewFigures(pulumi=Runs(), slipway=Runs())
    for command in (pulumi, slipway):
        _run(command, environ)
    for _ in range(RUNS):
        for runs, command in ((figures.pulumi, pulumi), (figures.slipway, slipway)):
            seconds, cpu_seconds = _run(command, environ)
            runs.seconds.append(seconds)
            runs.cpu_seconds.append(cpu_seconds)
    return figures


def _run(command: Sequence[str], environ: dict[str, str]) -> tuple[float, float]:
    cpu, started = _children_cpu_seconds(), time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        words = f"{done.stdout}\n{done.stderr}".strip().splitlines() or ["it said nothing"]
        raise NotMeasurableError("\n".join(words[-20:]))
    return seconds, _children_cpu_seconds() - cpu


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
