"""Collections of objects, as the rules see them through watches."""

from __future__ import annotations

from typing import Any

from slipway.sandbox.providers.kubernetes.readiness import Seen


class Objects:
    """Objects of one kind."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self._objects = list(objects)

    def objects(self) -> list[dict[str, Any]]:
        return self._objects

    def get(self, name: str) -> dict[str, Any] | None:
        return next((item for item in self._objects if item["metadata"]["name"] == name), None)

    def owned_by(self, owner: dict[str, Any] | None) -> list[dict[str, Any]]:
        uid = (owner or {}).get("metadata", {}).get("uid")
        return [item for item in self._objects if item["metadata"].get("owner") == uid]


def seen(live: dict[str, Any], *, is_update: bool = False, quiet_seconds: float = 0, **related: Objects) -> Seen:
    kinds = ("Pod", "ReplicaSet", "PersistentVolumeClaim", "EndpointSlice", "Service", "StorageClass")
    return Seen(
        live=live,
        is_update=is_update,
        quiet_seconds=quiet_seconds,
        related={kind: related.get(kind, Objects()) for kind in kinds},
    )
