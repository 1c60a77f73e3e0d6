"""How fast the engine is by itself: an instant provider, real state files. Prints one line of JSON.

    python tests/bench/bench_engine.py [resources]

`*_per_second` are resources handled per second of the whole operation; `growth_*` is the time per resource at the full size over that at a
quarter of it (1.0 is linear). The machine's own speed is in `baseline_seconds`, a fixed amount of Python work, so that runs compare.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi

from slipway.engine import Engine, Result
from slipway.engine.provider import CallContext, CreateResult, Provider

DEFAULT_RESOURCES = 2000
PREVIEW_RESOURCES = 60
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


def measure_baseline() -> float:
    """A fixed amount of pure Python work."""
    started = time.perf_counter()
    sum(number * number % 7 for number in range(3_000_000))
    return time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_RESOURCES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = measure(folder / "preview", PREVIEW_RESOURCES)
        quarter = measure(folder / "quarter", count // 4)
        whole = measure(folder / "whole", count)
    report = {
        "bench": "engine",
        "resources": count,
        **{f"{name}_per_second": round(count / seconds) for name, seconds in whole.items()},
        **{f"growth_{name}": round(whole[name] / quarter[name] / 4, 2) for name in whole},
        "preview_60_seconds": round(small["preview"], 3),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MIB),
        "baseline_seconds": round(measure_baseline(), 3),
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
