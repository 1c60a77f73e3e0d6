"""The Pulumi CLI of the tests, and which of them run beside each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.pulumi.cli import have_cli


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Those of one file share its fixtures, those of the load balancer the addresses of this machine."""
    for item in items:
        group = "load-balancer" if "sandbox_traffic" in item.path.parts else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def cli_folder() -> Path:
    """Where the Pulumi CLI is, its Python language host beside it; built if it is not there."""
    return have_cli(SandboxPaths.from_environment()).parent


@pytest.fixture(scope="session")
def cli_on_path(cli_folder: Path) -> Iterator[None]:
    """The CLI as `pulumi`."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATH", f"{cli_folder}{os.pathsep}{os.environ['PATH']}")
        yield
