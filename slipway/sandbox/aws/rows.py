"""What stands behind the API, read from moto's state for the status page. The caller holds the API's lock."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.eks.models import eks_backends
from moto.elbv2.models import elbv2_backends

from slipway.sandbox.aws.rds.models import real_instances
from slipway.sandbox.status import StatusRow


def cluster_rows() -> list[StatusRow]:
    """EKS clusters with their node groups."""
    backends: list[Any] = [backend for _, _, backend in list(eks_backends.iter_backends())]
    return [
        StatusRow(
            name=str(name),
            kind="cluster",
            address=str(cluster.endpoint or ""),
            state=str(cluster.status),
            detail=_cluster_detail(cluster),
        )
        for backend in backends
        for name, cluster in backend.clusters.items()
    ]


def database_rows() -> list[StatusRow]:
    """RDS instances with a server."""
    return [
        StatusRow(
            name=str(database.db_instance_identifier),
            kind="database",
            address=f"{database.address}:{database.port}",
            state=str(database.status),
            detail=database.fault,
        )
        for database in real_instances()
    ]


def load_balancer_rows() -> list[StatusRow]:
    """Load balancers with their listeners' ports."""
    rows: list[StatusRow] = []
    backends: list[Any] = [backend for _, _, backend in list(elbv2_backends.iter_backends())]
    for backend in backends:
        for balancer in backend.load_balancers.values():
            ports = ", ".join(str(listener.port) for listener in balancer.listeners.values())
            rows.append(
                StatusRow(
                    name=str(balancer.name),
                    kind="load balancer",
                    address=f"http://{balancer.dns_name}",
                    state=str(balancer.state),
                    detail=f"ports {ports}" if ports else "no listeners",
                )
            )
    return rows


def _cluster_detail(cluster: object) -> str:
    groups = [f"{name} {group.status}" for name, group in getattr(cluster, "nodegroups", {}).items()]
    if getattr(cluster, "in_auto_mode", False):
        groups.append("Auto Mode")
    issues = [str(issue["message"]) for issue in (getattr(cluster, "health", None) or {}).get("issues", [])]
    return "; ".join([*groups, *issues])
