"""The demo, run once, and `slipway` in the demo's checkout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.sandbox.paths import SandboxPaths

sys.path.insert(0, str(Path(__file__).parent))

from story_kit import Demo, Slipway

PROJECT = Path(__file__).parents[3]
DEMO_SECONDS = 1500


@pytest.fixture(scope="session")
def demo(paths: SandboxPaths) -> Demo:
    """Run the whole demo, as `make demo` does."""
    slipway = Slipway(paths, paths.sandbox / "demo")
    told = json.loads(slipway.run("demo", "--json", project=PROJECT, seconds=DEMO_SECONDS).stdout)
    return Demo(told["phases"], {each["environment"]: each for each in told["environments"]}, slipway)


@pytest.fixture
def slipway(demo: Demo) -> Slipway:
    """`slipway` in the demo's checkout, after the demo."""
    return demo.slipway


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool], str], None]:
    """Poll until true; the text says what was waited for."""

    def wait(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
            time.sleep(0.2)

    return wait
