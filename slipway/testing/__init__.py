"""Tests for Pulumi components on Pulumi's real engine, with fake providers that check inputs against the packages' schemas.

The fixtures `deploy`, `preview`, `upgrade_from` and `match_snapshot` come with the pytest plugin; see docs/testing-components.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipway.testing.checks import CheckError
    from slipway.testing.cli import find_cli
    from slipway.testing.provider import Call
    from slipway.testing.result import Deployment, DeploymentError, Resource, Step, Violation
    from slipway.testing.session import Options
    from slipway.testing.wire import UNKNOWN, Secret

_HOMES = {
    "CheckError": "checks",
    "find_cli": "cli",
    "Call": "provider",
    "Deployment": "result",
    "DeploymentError": "result",
    "Resource": "result",
    "Step": "result",
    "Violation": "result",
    "Options": "session",
    "UNKNOWN": "wire",
    "Secret": "wire",
}
__all__ = [
    "UNKNOWN",
    "Call",
    "CheckError",
    "Deployment",
    "DeploymentError",
    "Options",
    "Resource",
    "Secret",
    "Step",
    "Violation",
    "find_cli",
]


def __getattr__(name: str) -> Any:
    # Lazy: pytest imports this package at every start, and Pulumi takes half a second to import.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
