"""Creates that were interrupted: the state says that they began, and nobody knows whether they made something.

Pulumi goes on after a warning, and may make such a resource a second time. So `up` and `destroy` look first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.errors import OperationError

CREATING = "creating"
SHOWN = 10


def interrupted_creates(export: Mapping[str, Any]) -> tuple[str, ...]:
    """URNs of the interrupted creates in what `pulumi stack export` printed."""
    return tuple(item["resource"]["urn"] for item in _operations(export) if item["type"] == CREATING)


def without_interrupted_creates(export: Mapping[str, Any]) -> dict[str, Any]:
    """The same state without them."""
    kept = [item for item in _operations(export) if item["type"] != CREATING]
    return {**export, "deployment": {**export["deployment"], "pending_operations": kept}}


def refusal(urns: Sequence[str], stack: str) -> OperationError:
    """Why nothing is done before a person has looked."""
    lines = [f"  {urn.rpartition('::')[2]} ({urn.split('::')[2].rpartition('$')[2]})" for urn in urns[:SHOWN]]
    lines += [f"  and {len(urns) - SHOWN} more"] if len(urns) > SHOWN else []
    what = f"a run was interrupted (or is under way) while it created {len(urns)} resource(s), which may exist or not:"
    return OperationError(
        "\n".join([what, *lines]),
        where=stack,
        remedy=f"`pulumi refresh --stack {stack}` asks for each whether to import it by its ID or to forget it; "
        f"if none exists: `slipway refresh {stack} --clear-pending-creates`",
    )


def _operations(export: Mapping[str, Any]) -> list[dict[str, Any]]:
    deployment: dict[str, Any] = export.get("deployment") or {}
    return deployment.get("pending_operations") or []
