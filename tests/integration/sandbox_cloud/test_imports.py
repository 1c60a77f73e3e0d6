"""What asking whether the sandbox runs costs."""

from __future__ import annotations

import subprocess
import sys


def test_asking_whether_the_sandbox_runs_imports_nothing_heavy() -> None:
    # Every command asks; these modules take 0.8 s together.
    program = "import sys, slipway.sandbox.lifecycle, slipway.sandbox.environment; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    ).stdout.split()
    heavy = {"docker", "httpx", "kubernetes", "moto", "boto3", "psycopg", "pydantic", "slipway.sandbox.kubernetes"}
    assert heavy & set(loaded) == set()
