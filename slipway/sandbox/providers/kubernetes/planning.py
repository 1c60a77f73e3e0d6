"""What an update would do: the difference, which part of it needs a replacement, and in which order."""

from __future__ import annotations

from collections.abc import Callable

from slipway.engine.provider import CallContext, DiffChanges, DiffKind, DiffResult
from slipway.engine.values import UNKNOWN, PropertyMap
from slipway.sandbox.providers.kubernetes.cluster import Cluster
from slipway.sandbox.providers.kubernetes.difference import Comparison, path_text
from slipway.sandbox.providers.kubernetes.normal_form import normalized, pruned
from slipway.sandbox.providers.kubernetes.objects import (
    AUTONAMED,
    REPLACE_UNREADY,
    GroupVersionKind,
    KubernetesObject,
    annotation,
    is_patch,
    kind_of,
    metadata_of,
    name_of,
    namespace_of,
    parse_checkpoint,
    to_object,
)
from slipway.sandbox.providers.kubernetes.ownership import is_below, parse_property_path
from slipway.sandbox.providers.kubernetes.replacement import IDENTITY, force_new_properties

_REPLACING = (DiffKind.ADD_REPLACE, DiffKind.DELETE_REPLACE, DiffKind.UPDATE_REPLACE)
_UNREADY = f'metadata.annotations["{REPLACE_UNREADY}"]'


def plan_update(
    cluster: Cluster,
    ctx: CallContext,
    *,
    old_inputs: PropertyMap,
    old_outputs: PropertyMap,
    news: PropertyMap,
    is_job_unready: Callable[[KubernetesObject], bool],
) -> DiffResult:
    """Compare the last known live object, reduced to what was applied, with the new inputs."""
    applied, live = parse_checkpoint(old_outputs)
    applied = normalized(applied or to_object(old_inputs))
    wanted = normalized(to_object(news))
    kind = kind_of(wanted, ctx.type)
    before = pruned(live, applied)
    _align_identity(before, live, wanted, namespaced=_is_namespaced(cluster, kind, live))
    patterns = tuple(tuple(path.split(".")) for path in IDENTITY)
    if not is_patch(ctx.type, kind.kind):
        settings = cluster.settings
        patterns = force_new_properties(
            kind, wanted, secrets_mutable=settings.secrets_mutable, config_maps_mutable=settings.config_maps_mutable
        )
    found = Comparison(patterns).run(before, applied, wanted)
    ignored = [parse_property_path(text) for text in ctx.ignore_changes]
    found = {path: change for path, change in found.items() if not any(is_below(path, below) for below in ignored)}
    replacing = [path for path, change in found.items() if change.kind in _REPLACING]
    replaces = list(dict.fromkeys(str(path[0]) for path in replacing))
    if annotation(wanted, REPLACE_UNREADY) == "true" and kind.kind == "Job" and is_job_unready(live):
        replaces.append(_UNREADY)
    return DiffResult(
        changes=DiffChanges.SOME if found or replaces else DiffChanges.NONE,
        replaces=tuple(replaces),
        diffs=tuple(dict.fromkeys(str(path[0]) for path in found)),
        detailed={path_text(path): change for path, change in found.items()},
        delete_before_replace=bool(replaces) and _keeps_its_name(wanted, live),
    )


def _is_namespaced(cluster: Cluster, kind: GroupVersionKind, live: KubernetesObject) -> bool:
    """A live object tells it by itself: its scope cannot change while it exists, and the server writes the namespace into every one."""
    if metadata_of(live).get("uid") and _is_of(kind, live):
        return bool(namespace_of(live))
    return cluster.is_namespaced(kind)


def _is_of(kind: GroupVersionKind, live: KubernetesObject) -> bool:
    group = str(live.get("apiVersion") or "").rpartition("/")[0]
    return live.get("kind") == kind.kind and group == kind.group


def _align_identity(
    before: KubernetesObject, live: KubernetesObject, wanted: KubernetesObject, *, namespaced: bool
) -> None:
    """Fill in what both sides may leave out, so that it is no difference."""
    old, new = metadata_of(before), metadata_of(wanted)
    before["metadata"] = old
    if name_of(wanted):
        old["name"] = name_of(live)
    for side in (old, new):
        if not namespaced:
            side.pop("namespace", None)
        elif side.get("namespace") is not UNKNOWN:
            side["namespace"] = side.get("namespace") or namespace_of(live) or "default"
    for key in ("apiVersion", "kind"):
        if key not in before and key in wanted:
            before[key] = live.get(key, wanted[key])


def _keeps_its_name(wanted: KubernetesObject, live: KubernetesObject) -> bool:
    """Whether the new object would bear the old one's name, so that the old one must go first."""
    named = name_of(wanted) != "" and annotation(wanted, AUTONAMED) != "true"
    return named and name_of(wanted) == name_of(live) and namespace_of(wanted) == namespace_of(live)
