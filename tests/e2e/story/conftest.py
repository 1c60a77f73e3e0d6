"""The demo, run once, and `slipway` in the demo's checkout."""

from __future__ import annotations

import json
import sys
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
