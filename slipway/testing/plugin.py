"""The pytest plugin: fixtures that deploy a program on Pulumi's real engine with fake providers.

Registered as an entry point. Nothing of Pulumi is imported before a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from slipway.testing.result import Deployment
    from slipway.testing.session import Session

MARKER = "slipway_checks"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the plugin."""
    group = parser.getgroup("slipway", "Pulumi components on the real engine")
    group.addoption(
        "--slipway-record",
        action="store_true",
        help="write the states that upgrade_from compares with, from the code as it is",
    )
    group.addoption(
        "--slipway-update-snapshots", action="store_true", help="write the files that match_snapshot compares with"
    )
    parser.addini("slipway_pulumi", "path of the pulumi executable; default: SLIPWAY_TESTING_PULUMI, else PATH")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}(schema, providers, parents, outputs, applies): switch checks of slipway.testing on or off"
    )


@pytest.fixture
def pulumi_session(request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    """Runs programs; `deploy`, `preview` and `upgrade_from` are its usual ways in."""
    from slipway.testing.cli import find_cli  # noqa: PLC0415 - only tests that use the plugin pay for Pulumi's import
    from slipway.testing.session import Session  # noqa: PLC0415

    checks: dict[str, bool] = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        checks.update(marker.kwargs)
    command = str(request.config.getini("slipway_pulumi")) or None
    return Session(tmp_path / "slipway", lambda: find_cli(command), checks)


@pytest.fixture
def deploy(pulumi_session: Session) -> Callable[..., Deployment]:
    """`deploy(program, **options)`: run a program on a new stack; the options are those of `slipway.testing.Options`."""
    from slipway.testing.session import Options  # noqa: PLC0415

    def run(program: Callable[[], Any], **options: Any) -> Deployment:
        return pulumi_session.run("up", program, Options(**options))

    return run


@pytest.fixture
def preview(pulumi_session: Session) -> Callable[..., Deployment]:
    """`preview(program, **options)`: what a first `pulumi up` of the program would do."""
    from slipway.testing.session import Options  # noqa: PLC0415

    def run(program: Callable[[], Any], **options: Any) -> Deployment:
        return pulumi_session.run("preview", program, Options(**options))

    return run


@pytest.fixture
def upgrade_from(pulumi_session: Session, request: pytest.FixtureRequest) -> Callable[..., Deployment]:
    """`upgrade_from(state, program, **options)`: what the program would do to a stack of that recorded state."""
    from slipway.testing.session import Options, read_recorded  # noqa: PLC0415

    def run(state: Path | str | Mapping[str, Any], program: Callable[[], Any], **options: Any) -> Deployment:
        if request.config.getoption("--slipway-record") and not isinstance(state, Mapping):
            pulumi_session.run("up", program, Options(**options)).record(state)
        return pulumi_session.run("preview", program, Options(**options), read_recorded(state))

    return run


@pytest.fixture
def match_snapshot(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`match_snapshot(deployment, path, base=None)`: compare all resources with a file that people have reviewed."""
    from slipway.testing.snapshot import compare_snapshot  # noqa: PLC0415

    update = bool(request.config.getoption("--slipway-update-snapshots"))

    def match(deployment: Deployment, path: Path | str, base: Path | str | None = None) -> None:
        compare_snapshot(deployment, Path(path), base=Path(base) if base else None, update=update)

    return match
