"""Whether EKS offers the Kubernetes version, and for how long at no extra cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State

SOON = timedelta(days=60)
"""An upgrade goes one minor version at a time, through every environment."""


def check_kubernetes(case: Case) -> Iterator[Finding]:
    """The program's clusters never enter extended support: AWS refuses to make one, and upgrades those there are."""
    project, account, now = case.project, case.account, case.now
    version = project.facts.cluster.version
    answer = account.ask("eks", "describe_cluster_versions")
    offered = {entry["clusterVersion"]: entry for entry in answer["clusterVersions"]}
    current = [name for name, entry in offered.items() if entry.get("versionStatus") == "STANDARD_SUPPORT"]
    remedy = (
        f"set slipway:cluster.version to one in standard support: {', '.join(sorted(current)) or 'none is offered'}"
    )
    if version not in offered:
        yield Finding(State.FAILURE, f"EKS does not offer Kubernetes {version}", remedy)
        return
    entry = offered[version]
    end: datetime | None = entry.get("endOfStandardSupportDate")
    if version not in current or (end and end <= now):
        yield Finding(State.FAILURE, f"Kubernetes {version} is out of standard support", remedy)
    elif end and end - now < SOON:
        yield Finding(State.WARNING, f"standard support of Kubernetes {version} ends on {end:%Y-%m-%d}", remedy)
    else:
        until = f" until {end:%Y-%m-%d}" if end else ""
        yield Finding(State.OK, f"Kubernetes {version} is in standard support{until}")
