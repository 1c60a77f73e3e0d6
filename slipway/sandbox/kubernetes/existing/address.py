"""Where the endpoints of EKS clusters on existing ones listen."""

from __future__ import annotations

ADDRESS = "127.0.0.1"
FIRST_PORT = 7443
"""One for each cluster from here on; not 6443, where an existing cluster of this machine may listen itself."""


def endpoint_port(index: int) -> int:
    """Of the cluster with that number."""
    return FIRST_PORT + index


def endpoint_url(index: int) -> str:
    """What DescribeCluster tells of the cluster with that number."""
    return f"https://{ADDRESS}:{endpoint_port(index)}"
