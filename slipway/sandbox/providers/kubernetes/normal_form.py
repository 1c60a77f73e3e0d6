"""Objects in the form the API server would give them back, so that equal ones compare equal."""

from __future__ import annotations

import base64
import binascii
import copy
from decimal import Decimal
from typing import Any, cast

from slipway.engine.values import contains_unknown
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject, is_secret_kind, metadata_of

# Set by the server only. Source: Kubernetes API reference, ObjectMeta, "Read-only".
READ_ONLY_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)

# Maps and fields whose texts are quantities. Source: Kubernetes API reference, every field of type Quantity of the built-in kinds.
_QUANTITY_MAPS = frozenset(
    {
        "limits",
        "requests",
        "hard",
        "capacity",
        "allocatable",
        "default",
        "defaultRequest",
        "max",
        "min",
        "maxLimitRequestRatio",
        "podFixed",
    }
)
_QUANTITY_FIELDS = frozenset({"sizeLimit", "averageValue", "divisor", "maximumVolumeSize", "minimumVolumeSize"})


def normalized(obj: KubernetesObject) -> KubernetesObject:
    """A copy without what only the server sets; Secrets with their `stringData` moved into `data`, as the server does."""
    result = copy.deepcopy(obj)
    for key in READ_ONLY_METADATA:
        metadata_of(result).pop(key, None)
    if result.get("kind") == "CustomResourceDefinition":
        result.pop("status", None)
        spec = result.get("spec")
        if isinstance(spec, dict) and cast("dict[str, Any]", spec).get("preserveUnknownFields") is False:
            del spec["preserveUnknownFields"]
    if is_secret_kind(result) and not contains_unknown(result):
        _normalize_secret(result)
    return result


def _normalize_secret(secret: KubernetesObject) -> None:
    data = cast("dict[str, Any]", secret.get("data") or {})
    texts = cast("dict[str, Any]", secret.pop("stringData", None) or {})
    merged = {key: _reencoded(str(value)) for key, value in data.items()}
    merged.update({key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()})
    if merged:
        secret["data"] = merged


def _reencoded(text: str) -> str:
    """Base64 without the line breaks that the server drops."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=False)).decode()
    except (binascii.Error, ValueError):
        return text  # the server will refuse it, in its own words


def pruned(live: Any, shape: Any) -> Any:
    """`live` reduced to the keys that `shape` has, so that what the server filled in does not look like a change."""
    if isinstance(live, dict) and isinstance(shape, dict):
        fields, wanted = cast("dict[str, Any]", live), cast("dict[str, Any]", shape)
        kept = {key: pruned(value, wanted[key]) for key, value in fields.items() if key in wanted}
        # The server leaves out what is empty: `data: {}` is not gone because it does not come back.
        return kept | {key: value for key, value in wanted.items() if key not in fields and value in ({}, [])}
    if isinstance(live, list) and isinstance(shape, list):
        found, wanted_items = cast("list[Any]", live), cast("list[Any]", shape)
        if found and wanted_items and type(found[0]) is not type(wanted_items[0]):
            return found
        return [pruned(item, target) for item, target in zip(found, wanted_items, strict=False)]
    return cast("Any", live)


def same_value(path: tuple[str | int, ...], old: Any, new: Any) -> bool:
    """Whether two scalars mean the same to the API server: 1 and 1.0 always, "0.5" and "500m" where a quantity stands."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        return old == new
    if old == new:
        return True
    parent = path[-2] if len(path) > 1 else ""
    if parent in _QUANTITY_MAPS or (path and path[-1] in _QUANTITY_FIELDS):
        first, second = _quantity(old), _quantity(new)
        return first is not None and first == second
    return False


def _quantity(value: Any) -> Decimal | None:
    if not isinstance(value, (str, int, float)):
        return None
    # The client's 800 modules take 0.25 s to import, and most previews find no quantity that is written otherwise.
    from kubernetes.utils.quantity import parse_quantity  # noqa: PLC0415  # pyright: ignore[reportUnknownVariableType]

    try:
        return parse_quantity(str(value))
    except ValueError:
        return None
