"""From a program's inputs to checked ones: types, required and unknown properties, defaults, names, region and tags."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from slipway.providers.provider import CallContext, CheckFailure
from slipway.providers.values import UNKNOWN, Archive, Asset, PropertyMap, Value, contains_unknown
from slipway.sandbox.providers.framework.resource import AutoName, Resource
from slipway.sandbox.providers.framework.schema import ResourceSchema, object_schema
from slipway.sandbox.providers.framework.settings import Settings

DEFAULTS_KEY = "__defaults"
_SUFFIX_LENGTH = 7


def check_inputs(  # noqa: PLR0917 - the protocol's five, and the resource
    resource: Resource,
    schema: ResourceSchema,
    ctx: CallContext,
    olds: PropertyMap,
    news: PropertyMap,
    settings: Settings,
) -> tuple[PropertyMap, list[CheckFailure]]:
    """Checked inputs and what is wrong with them."""
    failures: list[CheckFailure] = []
    given = {k: v for k, v in news.items() if v is not None and k != DEFAULTS_KEY}
    inputs: PropertyMap = {}
    for name, value in given.items():
        if name not in schema.inputs.properties:
            if name != "tagsAll":  # state written by a program that read an existing resource carries it
                failures.append(_unknown(name, schema.inputs.properties))
            continue
        inputs[name] = normalise(value, schema.inputs.properties[name], name, failures)
    for name in resource.json_properties & inputs.keys():
        inputs[name] = json_text(inputs[name])
    defaulted = _apply_defaults(resource, ctx, olds, inputs)
    failures.extend(_missing(name) for name in sorted(schema.inputs.required - inputs.keys()))
    failures += _group_failures(resource, inputs)
    failures += [CheckFailure(property=name, reason=reason) for name, reason in resource.check(inputs)]
    if "region" in schema.inputs.properties:
        inputs.setdefault("region", settings.region)
    if "tagsAll" in schema.outputs and "tags" in schema.inputs.properties:
        inputs["tagsAll"] = merged_tags(inputs.get("tags"), settings)
    inputs[DEFAULTS_KEY] = sorted(defaulted)
    return inputs, failures


def normalise(value: Value, kind: str, path: str, failures: list[CheckFailure]) -> Value:  # noqa: PLR0911 - one for each kind
    """`value` in the type of the schema: numbers and booleans given as text are converted, as Terraform does."""
    if value is UNKNOWN or value is None or kind == "any":
        return value
    if kind.startswith("list<"):
        if not isinstance(value, list):
            return _mismatch(value, "a list", path, failures)
        return [normalise(item, kind[5:-1], f"{path}[{index}]", failures) for index, item in enumerate(value)]
    if kind.startswith("map<"):
        if not isinstance(value, dict):
            return _mismatch(value, "a map", path, failures)
        return {
            k: normalise(v, kind[4:-1], f"{path}.{k}", failures)
            for k, v in value.items()
            if v is not None and k != DEFAULTS_KEY
        }
    if kind.startswith("#"):
        if not isinstance(value, dict):
            return _mismatch(value, "an object", path, failures)
        return _normalise_object(value, kind, path, failures)
    return _normalise_scalar(value, kind, path, failures)


def _normalise_object(value: PropertyMap, kind: str, path: str, failures: list[CheckFailure]) -> PropertyMap:
    schema = object_schema(kind)
    result: PropertyMap = {}
    for name, item in value.items():
        if name == DEFAULTS_KEY or item is None:
            continue
        if name not in schema.properties:
            failures.append(_unknown(f"{path}.{name}", schema.properties))
            continue
        result[name] = normalise(item, schema.properties[name], f"{path}.{name}", failures)
    failures.extend(_missing(f"{path}.{name}") for name in sorted(schema.required - result.keys()))
    return result


def _normalise_scalar(value: Value, kind: str, path: str, failures: list[CheckFailure]) -> Value:
    if kind == "asset":
        return value if isinstance(value, (Asset, Archive)) else _mismatch(value, "an asset", path, failures)
    if isinstance(value, (dict, list, Asset, Archive)):
        return _mismatch(value, f"a {kind}", path, failures)
    if kind == "boolean" and not isinstance(value, bool):
        return (
            {"true": True, "false": False}[value]
            if value in {"true", "false"}
            else _mismatch(value, "a boolean", path, failures)
        )
    if kind in {"integer", "number"}:
        return _number(value, kind, path, failures)
    if kind == "string" and not isinstance(value, str):
        return (
            ("true" if value else "false")
            if isinstance(value, bool)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )
    return value


def _number(value: Value, kind: str, path: str, failures: list[CheckFailure]) -> Value:
    if isinstance(value, bool):
        return _mismatch(value, "a number", path, failures)
    try:
        number = float(value)
    except ValueError:
        return _mismatch(value, "a number", path, failures)
    if number.is_integer():
        return int(number)
    return _mismatch(value, "a whole number", path, failures) if kind == "integer" else number


def _missing(path: str) -> CheckFailure:
    reason = f'Missing required argument. The argument "{path}" is required, but no definition was found.'
    return CheckFailure(property=path, reason=reason)


def _mismatch(value: Value, wanted: str, path: str, failures: list[CheckFailure]) -> Value:
    failures.append(CheckFailure(property=path, reason=f"expected {wanted}, got {type(value).__name__}"))
    return value


def _unknown(path: str, known: Mapping[str, str]) -> CheckFailure:
    close = [name for name in known if name.lower() == path.rpartition(".")[2].lower()]
    hint = f"; did you mean {close[0]}?" if close else ""
    return CheckFailure(
        property=path, reason=f"Unsupported argument. An argument named {path!r} is not expected here{hint}"
    )


def _group_failures(resource: Resource, inputs: PropertyMap) -> Iterator[CheckFailure]:
    for group in resource.one_of:
        found = [name for name in group if name in inputs]
        if len(found) != 1:
            reason = f"exactly one of {', '.join(group)} must be given, got {', '.join(found) or 'none'}"
            yield CheckFailure(property=found[-1] if found else group[0], reason=reason)
    rule = resource.auto_name
    for group in (*resource.conflicts, *([(rule.property, rule.given_prefix())] if rule else [])):
        found = [name for name in group if name in inputs]
        if len(found) > 1:
            yield CheckFailure(property=found[1], reason=f"{found[1]} conflicts with {found[0]}")
    for name in sorted(resource.unsupported & inputs.keys()):
        if inputs[name] is UNKNOWN or inputs[name]:
            yield CheckFailure(
                property=name, reason=f"{name} of {resource.token} is not supported by the sandbox's AWS provider"
            )
    for name, allowed in resource.enums.items():
        value = inputs.get(name)
        if isinstance(value, str) and value not in allowed:
            yield CheckFailure(property=name, reason=f"expected {name} to be one of {', '.join(allowed)}, got {value}")


def _apply_defaults(resource: Resource, ctx: CallContext, olds: PropertyMap, inputs: PropertyMap) -> set[str]:
    defaulted: set[str] = set()
    for name, value in resource.defaults.items():
        if name not in inputs and not any(
            name in group and other in inputs for group in resource.conflicts for other in group
        ):
            inputs[name] = value
            defaulted.add(name)
    rule = resource.auto_name
    if rule is not None and rule.property not in inputs and rule.given_prefix() not in inputs:
        was_auto = rule.property in (olds.get(DEFAULTS_KEY) or ())
        old = olds.get(rule.property)
        inputs[rule.property] = old if was_auto and old else auto_name(rule, ctx)
        defaulted.add(rule.property)
    return defaulted


def auto_name(rule: AutoName, ctx: CallContext) -> str:
    """`<logical>-<7 hex>`, the same for the same seed; shortened from the right of the logical name as far as needed."""
    logical = ctx.name.lower() if rule.lower else ctx.name
    if not rule.unique:
        return f"{rule.prefix}{logical}"[: rule.max_length]
    seed = ctx.random_seed or secrets.token_bytes(32)
    suffix = hashlib.sha256(seed + rule.property.encode()).hexdigest()[:_SUFFIX_LENGTH]
    room = rule.max_length - len(rule.prefix) - len(rule.separator) - len(suffix)
    return f"{rule.prefix}{logical[:room]}{rule.separator}{suffix}"


def json_text(value: Value) -> Value:
    """A JSON document given as an object, as text; text as it is."""
    if isinstance(value, (dict, list)):
        return UNKNOWN if contains_unknown(value) else json.dumps(value, separators=(",", ":"), sort_keys=True)
    return value


def merged_tags(tags: Value, settings: Settings) -> Value:
    """`tagsAll`: the provider's default tags under the resource's own, without the ignored ones."""
    if tags is UNKNOWN or contains_unknown(tags or {}):
        return UNKNOWN
    merged: dict[str, Any] = {**settings.default_tags, **(tags or {})}
    return {key: value for key, value in merged.items() if not is_ignored_tag(key, settings)}


def is_ignored_tag(key: str, settings: Settings) -> bool:
    """Whether the provider's `ignoreTags` names the key, or AWS itself owns it."""
    if key in settings.ignored_tag_keys or re.match(r"aws:", key):
        return True
    return bool(settings.ignored_tag_prefixes) and key.startswith(settings.ignored_tag_prefixes)
