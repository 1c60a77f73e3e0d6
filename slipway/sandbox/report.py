"""The daemon's report of itself, for its status page."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from slipway.sandbox.aws.fault_plan.running import RunningFaults
from slipway.sandbox.parts import Parts
from slipway.sandbox.provider_process import ProviderProcess
from slipway.sandbox.state import MotoState
from slipway.sandbox.status import StatusRow


def daemon_report(
    port: int, parts: Parts | None, state: MotoState, providers: ProviderProcess, running: RunningFaults
) -> dict[str, Any]:
    """The daemon's own view, as its status page shows it."""
    rows = [StatusRow(name="aws", kind="api", address=f"http://127.0.0.1:{port}", state="running")]
    faults = {f"state of {service}": why for service, why in state.faults.items()} | providers.faults
    rows += running.rows()
    if parts is not None:
        rows += parts.rows()
        faults |= parts.faults
    return {
        "pid": os.getpid(),
        "ready": parts is None or parts.resumed.is_set(),
        "faults": faults,
        "rows": [asdict(row) for row in rows],
    }
