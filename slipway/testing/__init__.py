"""Tests for Pulumi components on Pulumi's real engine, with fake providers that check inputs against the packages' schemas.

The fixtures `deploy`, `preview`, `upgrade_from` and `match_snapshot` come with the pytest plugin; see docs/testing-components.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipway.providers.values import UNKNOWN, Secret
    from slipway.testing.checks import CheckError
    from slipway.testing.cli import find_cli
    from slipway.testing.provider import Call
    from slipway.testing.result import Deployment, DeploymentError, Resource, Step, Violation
    from slipway.testing.session import Options

_HOMES = {
    "CheckError": "slipway.testing.checks",
    "find_cli": "slipway.testing.cli",
    "Call": "slipway.testing.provider",
    "Deployment": "slipway.testing.result",
    "DeploymentError": "slipway.testing.result",
    "Resource": "slipway.testing.result",
    "Step": "slipway.testing.result",
    "Violation": "slipway.testing.result",
    "Options": "slipway.testing.session",
    "UNKNOWN": "slipway.providers.values",
    "Secret": "slipway.providers.values",
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
    return getattr(import_module(_HOMES[name]), name)
