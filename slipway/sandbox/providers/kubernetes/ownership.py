"""Field managers: who owns which field of a live object, and how ownership is taken over or given up."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from slipway.sandbox.providers.kubernetes.client import JSON_PATCH, ClusterClient
from slipway.sandbox.providers.kubernetes.discovery import ApiResource
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject, metadata_of, name_of, namespace_of

Fields: TypeAlias = dict[str, Any]
"""The `fieldsV1` tree of one manager: `{"f:spec": {"f:replicas": {}}}`."""

# Managers that write with POST, PUT and PATCH, not with server-side apply, on behalf of whoever now uses this provider: pulumi-kubernetes
# creates with them since 4.29, and kubectl without --server-side does. Their fields are taken over before the first apply.
_CLIENT_SIDE = frozenset(
    {"kubectl", "kubectl-client-side-apply", "before-first-apply", "pulumi-kubernetes", "pulumi-resource-kubernetes"}
)
_PATH_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')


def parse_property_path(text: str) -> tuple[str, ...]:
    """`spec.ports[0]["a.b"]` as its parts; indices stay text."""
    return tuple(
        quoted.replace('\\"', '"') if quoted else index or plain for quoted, index, plain in _PATH_PART.findall(text)
    )


def is_below(path: Sequence[str | int], ignored: Sequence[str]) -> bool:
    """Whether `path` is `ignored` or inside it; `*` stands for any part."""
    return len(path) >= len(ignored) and all(want in ("*", str(got)) for want, got in zip(ignored, path, strict=False))


def managed_fields(obj: KubernetesObject) -> list[dict[str, Any]]:
    """`metadata.managedFields`."""
    return cast("list[dict[str, Any]]", metadata_of(obj).get("managedFields") or [])


def is_managed_by(obj: KubernetesObject, manager: str) -> bool:
    """Whether a field manager has applied anything to the object."""
    return any(entry.get("manager") == manager for entry in managed_fields(obj))


def _owns(fields: Fields, path: Sequence[str]) -> bool:
    node: Any = fields
    for part in path:
        if not isinstance(node, dict) or f"f:{part}" not in node:
            return False
        node = cast("Fields", node)[f"f:{part}"]
    return True


def leave_ignored(wanted: KubernetesObject, live: KubernetesObject, ignored: Sequence[str], manager: str) -> None:
    """Make `wanted` keep its hands off ignored paths, in place: fields of others are left out of the request, our own are sent as they
    are in the cluster (leaving them out would remove them)."""
    for text in ignored:
        path = parse_property_path(text)
        owners = {
            entry.get("manager")
            for entry in managed_fields(live)
            if _owns(cast("Fields", entry.get("fieldsV1") or {}), path)
        }
        parent = _parent(wanted, path, make=False)
        if owners and manager not in owners:
            if parent is not None:
                parent.pop(path[-1], None)
            continue
        value = _value_at(live, path)
        if value is not None:
            target = _parent(wanted, path, make=True)
            if target is not None:
                target[path[-1]] = copy.deepcopy(value)


def _parent(obj: KubernetesObject, path: Sequence[str], *, make: bool) -> dict[str, Any] | None:
    node: Any = obj
    for part in path[:-1]:
        if not isinstance(node, dict):
            return None
        fields = cast("dict[str, Any]", node)
        if part not in fields:
            if not make:
                return None
            fields[part] = {}
        node = fields[part]
    return cast("dict[str, Any]", node) if isinstance(node, dict) else None


def _value_at(obj: KubernetesObject, path: Sequence[str]) -> Any:
    parent = _parent(obj, path, make=False)
    return parent.get(path[-1]) if parent is not None and path else None


def _client_side_entries(live: KubernetesObject) -> list[dict[str, Any]]:
    return [
        entry
        for entry in managed_fields(live)
        if entry.get("manager") in _CLIENT_SIDE and entry.get("operation") == "Update" and not entry.get("subresource")
    ]


def would_take_over(live: KubernetesObject) -> bool:
    """Whether `take_over` has something to do: a dry run cannot do it, and must not trip over those fields either."""
    return bool(_client_side_entries(live))


def take_over(client: ClusterClient, resource: ApiResource, live: KubernetesObject, manager: str) -> KubernetesObject:
    """Give the fields of client-side managers to `manager`, so that its next apply changes and removes them without conflict."""
    entries = managed_fields(live)
    theirs = _client_side_entries(live)
    if not theirs:
        return live
    ours = [entry for entry in entries if entry.get("manager") == manager and entry.get("operation") == "Apply"]
    merged: Fields = {}
    for entry in (*ours, *theirs):
        _merge(merged, cast("Fields", entry.get("fieldsV1") or {}))
    mine = {**theirs[0], "manager": manager, "operation": "Apply", "fieldsV1": merged}
    patch = [
        {
            "op": "replace",
            "path": "/metadata/managedFields",
            "value": [mine, *(item for item in entries if item not in (*theirs, *ours))],
        },
        # Refused if somebody wrote meanwhile: their ownership must not be lost.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata_of(live).get("resourceVersion")},
    ]
    path = resource.path(namespace_of(live), name_of(live))
    return client.request("PATCH", path, body=patch, content_type=JSON_PATCH)


def _merge(into: Fields, fields: Fields) -> None:
    for key, value in fields.items():
        if isinstance(value, dict):
            _merge(cast("Fields", into.setdefault(key, {})), cast("Fields", value))


def relinquish(client: ClusterClient, resource: ApiResource, live: KubernetesObject, manager: str) -> None:
    """Own nothing of the object any more; fields that nobody else owns are removed by the server."""
    empty = {
        "apiVersion": resource.kind.api_version,
        "kind": resource.kind.kind,
        "metadata": {"name": name_of(live), **({"namespace": namespace_of(live)} if resource.namespaced else {})},
    }
    client.apply(
        resource, empty, namespace=namespace_of(live), name=name_of(live), manager=manager, force=False, dry_run=False
    )


def merge_patch(applied: Any, wanted: Any) -> Any:
    """The JSON merge patch that brings what was applied to what is wanted. Source: RFC 7386."""
    if not (isinstance(applied, dict) and isinstance(wanted, dict)):
        return wanted
    before, after = cast("dict[str, Any]", applied), cast("dict[str, Any]", wanted)
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before or json.dumps(before[key], sort_keys=True) != json.dumps(value, sort_keys=True):
            patch[key] = merge_patch(before.get(key), value) if isinstance(value, dict) else value
    return patch
