"""What runs in the sandbox, as rows for `slipway sandbox status`."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipway.sandbox.parts import Parts
    from slipway.sandbox.provider_process import ProviderProcess
    from slipway.sandbox.state import MotoState


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """One thing of the sandbox."""

    name: str
    kind: str
    """`cluster`, `database`, `load balancer`, `registry`, `engine`, `api` or `process`."""
    address: str
    state: str
    """`running`, `stopped`, `failed`, or the AWS status (`CREATING`, `available`, `active`)."""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class SandboxStatus:
    """The sandbox as a whole."""

    running: bool
    """Whether the daemon answers."""
    ready: bool
    """Whether all that ran before runs again."""
    rows: tuple[StatusRow, ...]


def daemon_report(port: int, parts: Parts | None, state: MotoState, providers: ProviderProcess) -> dict[str, Any]:
    """The daemon's own view, as its status page shows it."""
    rows = [StatusRow(name="aws", kind="api", address=f"http://127.0.0.1:{port}", state="running")]
    faults = {f"state of {service}": why for service, why in state.faults.items()} | providers.faults
    if parts is not None:
        rows += parts.rows()
        faults |= parts.faults
    return {
        "pid": os.getpid(),
        "ready": parts is None or parts.resumed.is_set(),
        "faults": faults,
        "rows": [asdict(row) for row in rows],
    }
