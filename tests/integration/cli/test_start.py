"""What a command does not import: an unchanged stack must be told within two seconds, and imports are most of that."""

from __future__ import annotations

import subprocess
import sys

import pytest

SEEN = "import sys; print(*sorted(name for name in sys.modules if '.' not in name))"


def imported_by(*modules: str) -> set[str]:
    """Top-level modules of a fresh interpreter that has imported `modules`."""
    code = f"import {', '.join(modules)}; {SEEN}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (["slipway.cli.app"], {"click", "pulumi", "botocore", "kubernetes", "moto", "pydantic", "yaml"}),
        (["slipway.engine"], {"pulumi", "grpc", "botocore"}),
        (["slipway.sandbox.environment", "slipway.sandbox.lifecycle"], {"moto", "botocore", "kubernetes", "docker"}),
        (["slipway.sandbox.providers.kubernetes"], {"kubernetes", "botocore"}),
        (["slipway.sandbox.providers.aws.provider"], {"boto3", "botocore", "moto"}),
    ],
    ids=lambda names: names[0] if isinstance(names, list) else "",
)
def test_start_does_not_wait_for_what_it_may_not_need(modules: list[str], unwanted: set[str]) -> None:
    assert imported_by(*modules) & unwanted == set()


COMPARE = """
import contextlib, importlib, sys
from slipway.engine.sdk_imports import lean_sdk_imports
with lean_sdk_imports() if sys.argv[1] == "lean" else contextlib.nullcontext():
    package = importlib.import_module(sys.argv[2])
names = [name for name in dir(package) if not name.startswith("__")]
print(*(f"{name}={getattr(getattr(package, name), '__module__', type(getattr(package, name)).__name__)}" for name in names))
"""


@pytest.mark.parametrize(
    "package", ["pulumi_aws.sqs", "pulumi_aws.dynamodb", "pulumi_kubernetes.policy.v1", "pulumi_docker"]
)
def test_sdk_package_offers_the_same_names_from_the_same_modules_when_it_is_loaded_by_need(package: str) -> None:
    lean, whole = (
        set(
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", COMPARE, way, package],
                capture_output=True,
                text=True,
                check=True,
                timeout=300,
            ).stdout.split()
        )
        for way in ("lean", "whole")
    )
    assert whole <= lean
