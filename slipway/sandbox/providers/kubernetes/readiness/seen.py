"""What a readiness rule looks at, and what it answers. The rules are pure: the waiting is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from slipway.sandbox.providers.kubernetes.objects import GroupVersionKind, KubernetesObject, metadata_of


class Collection(Protocol):
    """The objects of one kind in the namespace."""

    def objects(self) -> list[KubernetesObject]:
        """All of them."""
        ...

    def get(self, name: str) -> KubernetesObject | None:
        """One of them."""
        ...

    def owned_by(self, owner: KubernetesObject | None) -> list[KubernetesObject]:
        """Those whose controller is `owner`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One moment."""

    live: KubernetesObject
    """The object waited for, never older than what was submitted."""
    is_update: bool = False
    related: Mapping[str, Collection] = field(default_factory=dict[str, Collection])
    """By kind."""
    quiet_seconds: float = 0
    """Since the last change of anything related."""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """A rule's answer."""

    ready: bool
    message: str = ""
    """What is waited for, as one line."""
    reasons: tuple[str, ...] = ()
    """Why it is not ready, in the words of those concerned."""
    failed: bool = False
    """It will not become ready by waiting."""


READY = Readiness(ready=True)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one kind becomes ready."""

    check: Callable[[Seen], Readiness]
    related: Sequence[GroupVersionKind] = ()
    timeout_seconds: float = 600
    """Source: pulumi-kubernetes, provider/pkg/await."""


def at(obj: Mapping[str, Any], *keys: str, default: Any = None) -> Any:
    """The value at a path of keys, or `default`."""
    value: Any = obj
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return default
        value = cast("dict[str, Any]", value)[key]
    return default if value is None else value  # a new CRD's status says `conditions: null`


def count(obj: Mapping[str, Any], *keys: str, default: int = 0) -> int:
    """A number of the status, which the server leaves out when it is zero."""
    value = at(obj, *keys)
    return value if isinstance(value, int) else default


def conditions(obj: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`status.conditions` by type."""
    found = cast("list[dict[str, Any]]", at(obj, "status", "conditions", default=[]))
    return {str(condition.get("type")): condition for condition in found}


def is_true(obj: Mapping[str, Any], condition: str) -> bool:
    """Whether a condition is there and True."""
    return conditions(obj).get(condition, {}).get("status") == "True"


def explained(condition: Mapping[str, Any]) -> str:
    """`[Reason] message`."""
    return f"[{condition.get('reason', '')}] {condition.get('message', '')}".strip()


def is_observed(obj: Mapping[str, Any]) -> bool:
    """Whether the controller has seen the present spec, so that its status can be believed."""
    return count(obj, "status", "observedGeneration") >= int(metadata_of(obj).get("generation") or 0)


def title(obj: Mapping[str, Any]) -> str:
    """`namespace/name`, the namespace left out when it is the default one."""
    metadata = metadata_of(obj)
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata.get('name')}" if namespace and namespace != "default" else str(metadata.get("name"))
