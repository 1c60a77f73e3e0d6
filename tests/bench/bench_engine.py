"""How fast the engine is by itself: an instant provider, real state files.

`python -m tests.bench.bench_engine 2000` prints one line of JSON. One size a process, because the peak of memory is the process' own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pulumi

from slipway.engine import Engine, Result
from slipway.engine.provider import CallContext, CreateResult, Provider

TIMEOUT_SECONDS = 600
_KIB_PER_MIB = 1024


class InstantProvider(Provider):
    """Does nothing, at once."""

    supports_preview = True

    def create(self, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
        return CreateResult(id="" if ctx.preview else ctx.name, outputs=inputs)

    def delete(self, ctx: CallContext, *state: Any) -> None:
        pass


class Thing(pulumi.CustomResource):
    """A resource of the instant provider."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions, **inputs: Any) -> None:
        super().__init__("bench:index:Thing", name, inputs, opts)


def program(count: int) -> Callable[[], None]:
    """`count` resources, each ten below a component of their own, as real programs have them."""

    def run() -> None:
        parent: pulumi.Resource | None = None
        for number in range(count):
            if number % 10 == 0:
                parent = pulumi.ComponentResource("bench:index:Group", f"group-{number}")
            opts = pulumi.ResourceOptions(parent=parent, version="1.0.0")
            Thing(f"thing-{number}", opts, size=number, tags={"team": "bench", "number": str(number)}, secret="x")

    return run


def measure(folder: Path, count: int) -> dict[str, float]:
    """Seconds of create, no-op up, no-op preview and destroy."""
    (folder / "state").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
    environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{folder}/state", "PULUMI_CONFIG_PASSPHRASE": "bench"}
    engine = Engine(folder, "bench", providers={"bench": InstantProvider}, program=program(count), environ=environ)
    operations: dict[str, Callable[[], Result]] = {
        "create": engine.up,
        "noop": engine.up,
        "preview": engine.preview,
        "destroy": engine.destroy,
    }
    seconds: dict[str, float] = {}
    for name, operation in operations.items():
        started = time.perf_counter()
        operation()
        seconds[name] = time.perf_counter() - started
    return seconds


@dataclass(frozen=True, kw_only=True)
class EngineFigures:
    """One run of every operation."""

    resources: int
    seconds: dict[str, float]
    """By operation."""
    peak_memory_mib: float

    def per_second(self, operation: str) -> float:
        """Resources handled in a second of the whole operation."""
        return self.resources / self.seconds[operation]


def run_apart(count: int) -> EngineFigures:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bench_engine", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_SECONDS)
    return EngineFigures(**json.loads(done.stdout))


def main() -> None:
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        seconds = measure(Path(name) / "project", count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MIB
    figures = EngineFigures(resources=count, seconds=seconds, peak_memory_mib=peak)
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main()
