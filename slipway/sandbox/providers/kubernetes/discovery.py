"""Which paths a kind lives at: the API server's discovery, remembered per group and version."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from slipway.sandbox.providers.kubernetes.failures import ApiError, UnknownKindError
from slipway.sandbox.providers.kubernetes.objects import GroupVersionKind


@dataclass(frozen=True)
class ApiResource:
    """One kind as the API server serves it."""

    kind: GroupVersionKind
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of the collection, or of one object."""
        root = f"/apis/{self.kind.group}/{self.kind.version}" if self.kind.group else f"/api/{self.kind.version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


class Discovery:
    """Kinds by name; a kind that is not known is asked for again each time, because its CRD may just have been made."""

    def __init__(self, get: Callable[[str], dict[str, Any]]) -> None:
        self._get = get
        self._known: dict[tuple[str, str], dict[str, ApiResource]] = {}
        self._lock = threading.Lock()

    def find(self, kind: GroupVersionKind) -> ApiResource:
        """The resource of a kind; `UnknownKindError` if it is not served."""
        group_version = (kind.group, kind.version)
        with self._lock:
            found = self._known.get(group_version, {}).get(kind.kind)
        if found is not None:
            return found
        kinds = self._load(kind)
        with self._lock:
            self._known[group_version] = kinds
        if kind.kind not in kinds:
            raise UnknownKindError(kind)
        return kinds[kind.kind]

    def forget(self) -> None:
        """Ask anew from now on: a CRD was changed or deleted."""
        with self._lock:
            self._known.clear()

    def _load(self, kind: GroupVersionKind) -> dict[str, ApiResource]:
        path = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        try:
            document = self._get(path)
        except ApiError as error:
            if error.is_gone:
                raise UnknownKindError(kind) from error
            raise
        kinds: dict[str, ApiResource] = {}
        for entry in cast("list[dict[str, Any]]", document.get("resources") or []):
            if "/" not in str(entry["name"]):  # "pods/log" is a subresource, no kind
                named = GroupVersionKind(kind.group, kind.version, str(entry["kind"]))
                kinds[named.kind] = ApiResource(named, str(entry["name"]), bool(entry["namespaced"]))
        return kinds
