"""What a command does not import: beside what Pulumi takes, a preview must cost next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

SEEN = "import sys; print(*sorted(name for name in sys.modules if '.' not in name))"


def imported_by(*modules: str) -> set[str]:
    """Top-level modules of a fresh interpreter that has imported `modules`."""
    return set(printed_by(f"import {', '.join(modules)}; {SEEN}").split())


def printed_by(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints that runs `code`."""
    argv = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300).stdout


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (["slipway.cli.app"], {"click", "pulumi", "botocore", "kubernetes", "moto", "pydantic", "yaml"}),
        (["slipway.stack", "slipway.cli.stacks"], {"pulumi", "grpc", "botocore", "pydantic", "yaml"}),
        (["slipway.sandbox.environment", "slipway.sandbox.lifecycle"], {"moto", "botocore", "kubernetes", "docker"}),
        (
            ["slipway.sandbox.providers.docker.context", "slipway.sandbox.providers.docker.inputs"],
            {"docker", "requests"},
        ),
        (["slipway.sandbox.providers.aws"], {"boto3", "botocore", "moto"}),
    ],
    ids=lambda names: names[0] if isinstance(names, list) else "",
)
def test_start_does_not_wait_for_what_it_may_not_need(modules: list[str], unwanted: set[str]) -> None:
    assert imported_by(*modules) & unwanted == set()
