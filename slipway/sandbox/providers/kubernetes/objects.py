"""Between Pulumi's property maps and Kubernetes' objects: shapes, names, secrets, and the state both are kept in.

The outputs of a resource are its live object plus three keys, as pulumi-kubernetes keeps them, so that either provider continues the
other's state: `__inputs` (the inputs last applied), `__initialApiVersion` and `__fieldManager`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from slipway.engine.provider import ProviderError
from slipway.engine.values import (
    UNKNOWN,
    Archive,
    Asset,
    OutputValue,
    PropertyMap,
    ResourceRef,
    Secret,
    Value,
    contains_secret,
    unwrap_secrets,
)

KubernetesObject: TypeAlias = dict[str, Any]
"""An object as the API server writes it in JSON."""

INPUTS_KEY = "__inputs"
INITIAL_API_VERSION_KEY = "__initialApiVersion"
FIELD_MANAGER_KEY = "__fieldManager"
LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
PATCH_FORCE = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER = "pulumi.com/patchFieldManager"
REPLACE_UNREADY = "pulumi.com/replaceUnready"
DELETION_PROPAGATION = "pulumi.com/deletionPropagationPolicy"

# A dash cannot be in a Python or Go identifier, so the SDKs write these fields of CRD schemas with underscores.
_SDK_NAMES = {
    "x_kubernetes_embedded_resource": "x-kubernetes-embedded-resource",
    "x_kubernetes_int_or_string": "x-kubernetes-int-or-string",
    "x_kubernetes_list_map_keys": "x-kubernetes-list-map-keys",
    "x_kubernetes_list_type": "x-kubernetes-list-type",
    "x_kubernetes_map_type": "x-kubernetes-map-type",
    "x_kubernetes_preserve_unknown_fields": "x-kubernetes-preserve-unknown-fields",
    "x_kubernetes_validations": "x-kubernetes-validations",
}
_API_NAMES = {api: sdk for sdk, api in _SDK_NAMES.items()}


@dataclass(frozen=True)
class GroupVersionKind:
    """What names a kind to the API server; the core group is "" here."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """`v1`, or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version


def kind_of_type(token: str) -> GroupVersionKind:
    """`kubernetes:apps/v1:Deployment` and `kubernetes:core/v1:Service` in Kubernetes' own terms."""
    parts = token.split(":")
    group_version = parts[1].split("/") if len(parts) == 3 else []
    if len(group_version) != 2 or not all(group_version) or not parts[2]:
        raise ProviderError(
            f"{token!r} is no type of the kubernetes provider; want kubernetes:<group>/<version>:<Kind>"
        )
    group, version = group_version
    return GroupVersionKind("" if group == "core" else group, version, parts[2])


def kind_of(obj: Mapping[str, Any], token: str) -> GroupVersionKind:
    """The kind an object says it is; the type token fills what it leaves out."""
    declared = kind_of_type(token)
    api_version = obj.get("apiVersion") or declared.api_version
    kind = obj.get("kind") or declared.kind
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return declared
    group, _, version = api_version.rpartition("/")
    return GroupVersionKind("" if group == "core" else group, version, kind)


def is_patch(token: str, kind: str) -> bool:
    """Whether a resource only manages some fields of an object that is not its own (`DeploymentPatch`)."""
    name = token.rpartition(":")[2]
    return name.endswith("Patch") and name == f"{kind}Patch"


def to_object(properties: PropertyMap) -> KubernetesObject:
    """Inputs or outputs as an API object: no secret markers, no nulls, whole numbers as integers. `UNKNOWN` stays."""
    return cast("KubernetesObject", _to_api(properties))


def _to_api(value: Value) -> Any:
    if isinstance(value, (Secret, OutputValue)):
        return _to_api(value.value)
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {_SDK_NAMES.get(key, key): _to_api(item) for key, item in items if item is not None}
    if isinstance(value, list):
        return [_to_api(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # every number is a double on Pulumi's wire; the API server refuses "8080.0" for a port
    if isinstance(value, ResourceRef):
        return value.id if value.id is not None else value.urn
    if isinstance(value, (Asset, Archive)):
        raise ProviderError(
            "an asset or archive cannot be part of a Kubernetes object; read the file in the program instead"
        )
    return value


def to_properties(obj: Mapping[str, Any]) -> PropertyMap:
    """An API object as properties: a copy, with the SDKs' names."""
    return cast("PropertyMap", _to_sdk(obj))


def _to_sdk(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_API_NAMES.get(key, key): _to_sdk(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_to_sdk(item) for item in cast("list[Any]", value)]
    return value


def metadata_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object's metadata; empty while it is absent or unknown."""
    metadata = obj.get("metadata")
    return cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}


def name_of(obj: Mapping[str, Any]) -> str:
    """`metadata.name`, or "" while there is none or it is unknown."""
    name = metadata_of(obj).get("name")
    return name if isinstance(name, str) else ""


def namespace_of(obj: Mapping[str, Any]) -> str:
    """`metadata.namespace`, or "" while there is none or it is unknown."""
    namespace = metadata_of(obj).get("namespace")
    return namespace if isinstance(namespace, str) else ""


def annotation(obj: Mapping[str, Any], key: str) -> str:
    """One annotation's value, or ""."""
    annotations = metadata_of(obj).get("annotations")
    value: Any = cast("dict[str, Any]", annotations).get(key) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else ""


def set_annotation(obj: KubernetesObject, key: str, value: str) -> None:
    """Set one annotation, unless metadata or annotations are unknown as a whole."""
    metadata = obj.setdefault("metadata", {})
    if isinstance(metadata, dict):
        annotations = cast("dict[str, Any]", metadata).setdefault("annotations", {})
        if isinstance(annotations, dict):
            annotations[key] = value


def id_of(obj: Mapping[str, Any]) -> str:
    """The resource id: `namespace/name`, or `name` alone where the kind has no namespace."""
    namespace = namespace_of(obj)
    return f"{namespace}/{name_of(obj)}" if namespace else name_of(obj)


def parse_id(resource_id: str) -> tuple[str, str]:
    """Namespace ("" if none) and name of a resource id."""
    namespace, _, name = resource_id.rpartition("/")
    return namespace, name


def generated_name(logical: str, seed: bytes) -> str:
    """`<logical>-<8 hex>`, stable for one seed."""
    return f"{logical}-{hashlib.sha256(seed + logical.encode()).hexdigest()[:8]}"


def field_manager_of(urn: str) -> str:
    """The field manager of a resource without one in its state: derived from the URN, so that a run that was killed before the
    state was saved is continued by the next one under the same name, without conflicts with itself."""
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def is_secret_kind(obj: Mapping[str, Any]) -> bool:
    """Whether this is a core Secret."""
    return obj.get("kind") == "Secret" and obj.get("apiVersion") in (None, "v1", "core/v1")


def mark_secrets(outputs: PropertyMap, inputs: PropertyMap) -> None:
    """Mark in `outputs`, in place, what is secret: the data of Secrets always, kubectl's copy of the whole object always, else
    whatever is secret in `inputs` under the same path. A list with one secret item is secret as a whole, because the server may
    reorder it."""
    annotations = metadata_of(outputs).get("annotations")
    if isinstance(annotations, dict):
        texts = cast("dict[str, Any]", annotations)
        if isinstance(texts.get(LAST_APPLIED_ANNOTATION), str):
            texts[LAST_APPLIED_ANNOTATION] = Secret(texts[LAST_APPLIED_ANNOTATION])
    if is_secret_kind(outputs):
        for key in ("data", "stringData"):
            if key in outputs and not isinstance(outputs[key], Secret):
                outputs[key] = Secret(unwrap_secrets(outputs[key]))
    _copy_secretness(outputs, inputs)


def _copy_secretness(outputs: PropertyMap, inputs: PropertyMap) -> None:
    for key, given in inputs.items():
        if key not in outputs:
            continue
        found = outputs[key]
        if isinstance(found, dict) and isinstance(given, dict):
            _copy_secretness(cast("PropertyMap", found), cast("PropertyMap", given))
        elif not isinstance(found, Secret) and contains_secret(given):
            outputs[key] = Secret(unwrap_secrets(found))


def checkpoint(
    inputs: KubernetesObject,
    live: KubernetesObject,
    source: PropertyMap,
    *,
    initial_api_version: str,
    field_manager: str,
) -> PropertyMap:
    """The outputs to keep: the live object, and what was applied. `source` tells what is secret."""
    outputs = to_properties(live)
    applied = to_properties(inputs)
    mark_secrets(outputs, source)
    mark_secrets(applied, source)
    outputs[INPUTS_KEY] = applied
    outputs[INITIAL_API_VERSION_KEY] = initial_api_version
    outputs[FIELD_MANAGER_KEY] = field_manager
    return outputs


def parse_checkpoint(outputs: PropertyMap) -> tuple[KubernetesObject, KubernetesObject]:
    """The inputs last applied and the live object, out of the outputs kept."""
    obj = to_object(outputs)
    inputs = obj.pop(INPUTS_KEY, {})
    for key in (INITIAL_API_VERSION_KEY, FIELD_MANAGER_KEY):
        obj.pop(key, None)
    return inputs, obj


def secret_texts(properties: Value) -> set[str]:
    """Every text inside a secret marker, for scrubbing messages. Short ones are left out: they would blank ordinary words."""
    texts: set[str] = set()

    def collect(value: Value, secret: bool) -> None:
        if isinstance(value, Secret):
            collect(value.value, True)
        elif isinstance(value, dict):
            for item in cast("dict[str, Any]", value).values():
                collect(item, secret)
        elif isinstance(value, list):
            for item in cast("list[Any]", value):
                collect(item, secret)
        elif secret and isinstance(value, str) and value is not UNKNOWN and len(value) >= 4:
            texts.add(value)

    collect(properties, False)
    return texts
