"""Checking inputs: what is refused, and what is filled in (apiVersion, kind, name, namespace)."""

from __future__ import annotations

from slipway.engine.provider import CallContext, CheckFailure, CheckResult, ProviderError
from slipway.engine.values import UNKNOWN, PropertyMap
from slipway.sandbox.providers.kubernetes.cluster import Cluster, timeout_of
from slipway.sandbox.providers.kubernetes.normal_form import normalized
from slipway.sandbox.providers.kubernetes.objects import (
    AUTONAMED,
    WAIT_FOR,
    KubernetesObject,
    annotation,
    generated_name,
    is_patch,
    kind_of,
    mark_secrets,
    metadata_of,
    name_of,
    set_annotation,
    to_object,
    to_properties,
)
from slipway.sandbox.providers.kubernetes.readiness import rule_for

_REFUSED_TYPES = {
    "kubernetes:helm.sh/v3:Release": "Helm releases are not supported here: render the chart with `helm template` and use yaml.ConfigFile",
    "kubernetes:helm.sh/v4:Chart": "Helm charts are not rendered here: render the chart with `helm template` and use yaml.ConfigFile",
    "kubernetes:kustomize/v2:Directory": "kustomizations are not built here: run `kubectl kustomize` and use yaml.ConfigFile",
}


def complete_inputs(cluster: Cluster, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
    """The inputs to keep in the state, or why they cannot be."""
    if ctx.type in _REFUSED_TYPES:
        raise ProviderError(f"{ctx.type}: {_REFUSED_TYPES[ctx.type]}")
    obj = to_object(news)
    kind = kind_of(obj, ctx.type)
    for key, value in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        obj[key] = obj.get(key) or value
    obj = normalized(obj)  # which knows a Secret by its kind
    if kind.kind.endswith("List") and isinstance(obj.get("items"), list):
        raise ProviderError(
            "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be created directly. "
            "Use the underlying resource type instead"
        )
    patch = is_patch(ctx.type, kind.kind)
    if obj.get("metadata") is not UNKNOWN:
        obj.setdefault("metadata", {})
        failure = _name(cluster, ctx, to_object(olds), obj, patch=patch)
        if failure is not None:
            return CheckResult(inputs=news, failures=(failure,))
        if "namespace" not in metadata_of(obj) and cluster.is_namespaced(kind):
            metadata_of(obj)["namespace"] = cluster.namespace
    timeout_of(obj, 0)
    rule_for(kind, annotation(obj, WAIT_FOR))  # both refuse what they cannot read, before anything is made
    inputs = to_properties(obj)
    mark_secrets(inputs, news)
    return CheckResult(inputs=inputs)


def _name(
    cluster: Cluster, ctx: CallContext, old: KubernetesObject, obj: KubernetesObject, *, patch: bool
) -> CheckFailure | None:
    metadata = metadata_of(obj)
    if metadata.get("name") is UNKNOWN or name_of(obj):
        return None
    if patch:
        return CheckFailure(
            property="metadata.name", reason="patch resources require the `.metadata.name` field to be set"
        )
    if metadata.get("generateName"):
        if cluster.settings.server_side_apply:
            reason = "the `.metadata.generateName` field is not supported in Server-Side Apply mode"
            return CheckFailure(property="metadata.generateName", reason=reason)
        return None
    if annotation(old, AUTONAMED) == "true" and name_of(old):
        metadata["name"] = name_of(old)
    else:
        proposed = ctx.autonaming or {}
        mode = str(proposed.get("mode", "")).lower()
        if mode == "disable":
            reason = "autonaming is disabled, resource requires the .metadata.name field to be set"
            return CheckFailure(property="metadata.name", reason=reason)
        metadata["name"] = proposed.get("proposed_name") or generated_name(ctx.name, ctx.random_seed)
    set_annotation(obj, AUTONAMED, "true")
    return None
