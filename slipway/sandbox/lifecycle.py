"""The sandbox's life, for the command line: up, down, reset, status. Each may be cut short anywhere and run again.

Imports wait until they are needed: asking whether the sandbox runs must not cost what starting it does (0.8 s of imports).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slipway.errors import NotFoundError
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.running import require_running, sandbox_status
from slipway.sandbox.status import SandboxStatus

__all__ = ["down", "faults", "kubeconfig", "metrics_pace", "require_running", "reset", "status", "up"]

OFF = "off"
Progress = Callable[[str], None]


def silent(_text: str) -> None:
    """Progress that nobody reads."""


def up(paths: SandboxPaths, progress: Progress) -> None:
    """Have everything running: install, build and start what is not there yet, and resume what ran before.

    Raises MachineError for a machine that cannot, OperationError for a part that does not come up. Takes 3 s when all runs already.
    """
    from slipway.sandbox import bringing_up  # noqa: PLC0415

    bringing_up.up(paths, progress)


def down(paths: SandboxPaths, progress: Progress = silent) -> None:
    """Stop every process; state, images and databases stay for the next `up`."""
    from slipway.sandbox import taking_down  # noqa: PLC0415

    taking_down.down(paths, progress)


def reset(paths: SandboxPaths, progress: Progress = silent) -> None:
    """Stop everything and remove all that the sandbox made, but the cache of built programs and base images."""
    from slipway.sandbox import taking_down  # noqa: PLC0415

    taking_down.reset(paths, progress)


def status(paths: SandboxPaths) -> SandboxStatus:
    """What runs. Never raises: a dead daemon is a row, too."""
    return sandbox_status(paths)


def faults(paths: SandboxPaths, plan: str | None) -> dict[str, Any]:
    """Switch a fault plan on, by its name or file, or `off`; None only asks. What is on then; empty when nothing is.

    Raises UsageError for a faulty plan, MachineError while the sandbox does not run.
    """
    from slipway.sandbox.switching import set_switch, show_switch  # noqa: PLC0415

    document: dict[str, Any] = {"name": plan, "plan": None}
    if plan not in (None, OFF):
        from slipway.sandbox.aws.fault_plan.plan import find_plan  # noqa: PLC0415

        document["plan"] = find_plan(plan).to_document()
    require_running(paths)
    return show_switch("faults") if plan is None else set_switch(paths, "faults", document)


def metrics_pace(paths: SandboxPaths, pace: str | None) -> str:
    """Set the pace of load balancers' metrics, `aws` or `live`; None only asks. The pace then.

    Raises UsageError for another pace, MachineError while the sandbox does not run.
    """
    from slipway.sandbox.switching import check_pace, set_switch, show_switch  # noqa: PLC0415

    document = {"pace": check_pace(pace)} if pace is not None else {}
    require_running(paths)
    return str((set_switch(paths, "metrics", document) if document else show_switch("metrics"))["pace"])


def kubeconfig(paths: SandboxPaths, cluster_name: str) -> Path:
    """The administrator's kubeconfig of a cluster, by its name or its environment's; NotFoundError when none or several fit."""
    from slipway.sandbox.kubernetes import ClusterManager  # noqa: PLC0415
    from slipway.sandbox.processes import ProcessTable  # noqa: PLC0415

    clusters = ClusterManager(paths, ProcessTable(paths))
    return clusters.info(choose_cluster(clusters.names(), cluster_name)).admin_kubeconfig


def choose_cluster(names: Sequence[str], wanted: str) -> str:
    """The cluster named `wanted`, or the only one with `wanted` between its dashes: `dev` for `orders-dev`."""
    fitting = [wanted] if wanted in names else [name for name in names if f"-{wanted}-" in f"-{name}-"]
    if len(fitting) == 1:
        return fitting[0]
    raise NotFoundError(
        f"{len(fitting) or 'no'} clusters fit {wanted!r}",
        remedy=f"name one of: {', '.join(names)}" if names else "there are none yet: run `slipway up` first",
    )
