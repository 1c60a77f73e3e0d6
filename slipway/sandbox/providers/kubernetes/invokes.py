"""The provider's functions."""

from __future__ import annotations

from typing import Any, cast

import yaml

from slipway.engine.provider import InvokeResult, NotImplementedByProviderError, ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject, kind_of, to_object
from slipway.sandbox.providers.kubernetes.scopes import known_scope

_REFUSED = {
    "kubernetes:helm:template": "Helm charts are not rendered here: render them with `helm template` and use yaml.ConfigFile",
    "kubernetes:kustomize:directory": "kustomizations are not built here: build them with `kubectl kustomize` and use yaml.ConfigFile",
}


def invoke(token: str, args: PropertyMap) -> InvokeResult:
    """Run one function; `kubernetes:yaml:decode` is what ConfigFile and ConfigGroup need."""
    if token == "kubernetes:yaml:decode":  # noqa: S105 - the name of a function
        plain = to_object(args)
        return InvokeResult(
            outputs={"result": decode_yaml(str(plain.get("text") or ""), str(plain.get("defaultNamespace") or ""))}
        )
    if token in _REFUSED:
        raise ProviderError(f"{token}: {_REFUSED[token]}")
    raise NotImplementedByProviderError(f"kubernetes: no function {token}")


def decode_yaml(text: str, default_namespace: str) -> list[KubernetesObject]:
    """The objects of a multi-document manifest; documents without kind or apiVersion are skipped, as kubectl does with empty ones."""
    try:
        documents = list(yaml.load_all(text, Loader=_TimestampsAsText))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise ProviderError(
            f"the manifest is not valid YAML{where}: {getattr(error, 'problem', None) or 'cannot be parsed'}"
        ) from None
    objects: list[KubernetesObject] = []
    for document in documents:
        if not isinstance(document, dict):
            continue
        obj = cast("KubernetesObject", document)
        if not obj.get("kind") or not obj.get("apiVersion"):
            continue
        if default_namespace and known_scope(kind_of(obj, "kubernetes:core/v1:Object")) is not False:
            metadata: Any = obj.setdefault("metadata", {})
            if isinstance(metadata, dict):
                fields = cast("dict[str, Any]", metadata)
                fields["namespace"] = fields.get("namespace") or default_namespace
        objects.append(obj)
    return objects


class _TimestampsAsText(yaml.SafeLoader):
    """Kubernetes reads YAML as JSON, which has no dates: `2024-01-01` in an annotation is a text."""


_TimestampsAsText.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
