"""Which changes make a new resource. SDKs carry no force-new marks, so they are known from four places, all of them consulted:

* `replace_on`, the table that a test passes: `{"aws:rds/instance:Instance": ["kmsKeyId"]}`;
* the sandbox's AWS provider, where it serves the type;
* pulumi-kubernetes' rules;
* the SDK's documentation where it says "forces a new resource".

A change that none of them knows is reported as an update.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, cast

from slipway.providers.schema import Property
from slipway.providers.values import UNKNOWN, Secret

RECORDED_SECRET = "[recorded secret]"  # noqa: S105 - stands in recorded states where a secret was
Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Change:
    """One property that differs; `path` as Pulumi writes it, `ingress[0].fromPort`."""

    path: str
    kind: Kind

    @property
    def names(self) -> str:
        """The path without list indexes."""
        return re.sub(r"\[[^\]]*\]", "", self.path)


def compare(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[Change]:
    """Every difference between two property maps. Values that a provider filled in by itself (`__defaults`) are none."""
    defaults = old.get("__defaults") or ()
    for key in sorted({*old, *new}):
        if key.startswith("__") or (key in defaults and new.get(key) is None):
            continue
        yield from _compare(old.get(key), new.get(key), f"{path}.{key}" if path else key)


def _compare(old: Any, new: Any, path: str) -> Iterator[Change]:
    if isinstance(old, Secret):
        old = old.value
    if isinstance(new, Secret):
        new = new.value
    if old in (new, RECORDED_SECRET):
        return
    if old is None and isinstance(new, dict) and new:
        # What is added in a block, not the block: another part of it may be the one that makes a new resource.
        yield from compare({}, cast("dict[str, Any]", new), path)
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from compare(cast("dict[str, Any]", old), cast("dict[str, Any]", new), path)
    elif isinstance(old, list) and isinstance(new, list):
        before, after = cast("list[Any]", old), cast("list[Any]", new)
        for index in range(max(len(before), len(after))):
            yield from _compare(
                before[index] if index < len(before) else None,
                after[index] if index < len(after) else None,
                f"{path}[{index}]",
            )
    elif new is None:
        yield Change(path, "delete")
    elif old is None and new is not UNKNOWN:
        yield Change(path, "add")
    else:
        yield Change(path, "update")


def replacing(
    token: str, changes: Iterable[Change], inputs: Mapping[str, Property], extra: Mapping[str, Iterable[str]]
) -> list[Change]:
    """Those of the changes that make a new resource of type `token`."""
    paths = {
        *extra.get(token, ()),
        *_sandbox_table(token),
        *_kubernetes_table(token),
        *(name for name, declared in inputs.items() if declared.forces_new),
    }
    return [change for change in changes if any(_touches(change.names, path) for path in paths)]


def _touches(changed: str, forcing: str) -> bool:
    return f"{changed}.".startswith(f"{forcing}.") or f"{forcing}.".startswith(f"{changed}.")


@cache
def _sandbox_table(token: str) -> frozenset[str]:
    if not token.startswith("aws:"):
        return frozenset()
    try:
        registry = import_module("slipway.sandbox.providers.services.registry")
    except ImportError:
        return frozenset()
    served = registry.resource(token)
    return frozenset(served.force_new) if served else frozenset()


def _kubernetes_table(token: str) -> tuple[str, ...]:
    package, _, rest = token.partition(":")
    if package != "kubernetes" or ":" not in rest:
        return ()
    group_version, kind = rest.rsplit(":", 1)
    group = group_version.split("/")[0].split(".")[0]
    return ("metadata.name", "metadata.namespace", *_IMMUTABLE.get((group, kind), ()))


def _spec(*fields: str) -> tuple[str, ...]:
    return tuple(f"spec.{name}" for name in fields)


_IMMUTABLE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): _spec("selector"),
    ("apps", "Deployment"): _spec("selector"),
    ("apps", "StatefulSet"): _spec("podManagementPolicy", "selector", "serviceName", "volumeClaimTemplates"),
    ("batch", "Job"): _spec("completions", "parallelism", "selector", "template"),
    ("core", "ConfigMap"): ("binaryData", "data"),
    ("core", "PersistentVolumeClaim"): _spec("accessModes", "selector", "storageClassName", "volumeName"),
    ("core", "Pod"): _spec(
        "containers", "initContainers", "nodeName", "securityContext", "serviceAccountName", "volumes"
    ),
    ("core", "ResourceQuota"): _spec("scopes"),
    ("core", "Secret"): ("type", "stringData", "data"),
    ("core", "Service"): _spec("clusterIP"),
    ("rbac", "ClusterRoleBinding"): ("roleRef",),
    ("rbac", "RoleBinding"): ("roleRef",),
    ("storage", "StorageClass"): ("parameters", "provisioner"),
}
"""By API group and kind, for a provider with default settings. Source: pulumi-kubernetes 4.34, provider/pkg/provider/diff.go."""
