"""The rights that EKS's access policies give, as objects in an existing cluster: put there, and taken away again."""

from __future__ import annotations

from typing import Any

import yaml

from slipway.sandbox.kubernetes.addons import render_access
from slipway.sandbox.kubernetes.api import ApiServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"
LABEL = "app.kubernetes.io/managed-by"
OWNER = "slipway-sandbox"
COLLECTIONS = {"ClusterRoleBinding": "clusterrolebindings", "ClusterRole": "clusterroles"}
"""In the order of removal."""


def access_objects() -> list[tuple[str, dict[str, Any]]]:
    """Path and content of each, marked as ours."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(render_access()))
    for document in documents:
        document["metadata"]["labels"] = {LABEL: OWNER}
    return [(f"{RBAC}/{COLLECTIONS[each['kind']]}/{each['metadata']['name']}", each) for each in documents]


def apply_access(api: ApiServer) -> None:
    """Have all of them; again is harmless."""
    for path, document in access_objects():
        api.apply(path, document)


def remove_access(api: ApiServer) -> None:
    """Take away those that are marked as ours."""
    for collection in COLLECTIONS.values():
        api.delete(f"{RBAC}/{collection}?labelSelector={LABEL}%3D{OWNER}")
