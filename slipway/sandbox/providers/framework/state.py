"""Between live resources, outputs and inputs: what a state file holds after a create, an update, a refresh or an import."""

from __future__ import annotations

from slipway.providers.values import UNKNOWN, PropertyMap, Secret, Value
from slipway.sandbox.providers.framework.check import DEFAULTS_KEY, is_ignored_tag
from slipway.sandbox.providers.framework.diff import canonical, equal
from slipway.sandbox.providers.framework.resource import Call, Resource
from slipway.sandbox.providers.framework.schema import ResourceSchema, object_schema, resource_schema
from slipway.sandbox.providers.framework.tags import MARKER_TAG


def without_defaults(inputs: PropertyMap) -> PropertyMap:
    """Inputs without the bridge's bookkeeping."""
    return {name: value for name, value in inputs.items() if name != DEFAULTS_KEY}


def planned_outputs(
    resource: Resource,
    schema: ResourceSchema,
    inputs: PropertyMap,
    old_outputs: PropertyMap | None,
    old_inputs: PropertyMap | None = None,
) -> PropertyMap:
    """What a preview knows of the outputs: inputs as given; the rest as it was, or UNKNOWN if there is nothing yet."""
    outputs = {name: value for name, value in inputs.items() if name in schema.outputs}
    if old_outputs is None:
        outputs.update(dict.fromkeys(schema.computed - outputs.keys(), UNKNOWN))
    for name, nested in resource.nested_computed.items():
        given, old = outputs.get(name), (old_outputs or {}).get(name)
        if isinstance(given, dict):
            known = old if isinstance(old, dict) else {}
            outputs[name] = {**{key: known.get(key, UNKNOWN) for key in nested}, **given}
    if old_outputs is None:
        return outputs
    removed = (old_inputs or {}).keys() - inputs.keys() - schema.optional_computed
    return {**{k: v for k, v in old_outputs.items() if k not in removed}, **outputs}


def merged_outputs(resource: Resource, call: Call, live: PropertyMap, base: PropertyMap) -> PropertyMap:
    """Outputs: what AWS says, in the words and the order of the inputs where it means the same."""
    result = dict(base)
    found = split_tags(live, call)
    for name, value in found.items():
        if value is None:
            continue
        given = base.get(name)
        result[name] = given if given is not None and equal(name, given, value, resource) else value
    for name in list(result):
        if name in found and found[name] is None and name not in resource.write_only:
            del result[name]
    outputs, rule = resource_schema(resource.token).outputs, resource.auto_name
    if "region" in outputs:
        result.setdefault("region", call.region)
    if rule and rule.given_prefix() in outputs:
        result.setdefault(rule.given_prefix(), call.state.get(rule.given_prefix()) or "")
    result.pop("id", None)
    for name in resource.secret & result.keys():
        result[name] = result[name] if isinstance(result[name], Secret) else Secret(result[name])
    return result


def split_tags(live: PropertyMap, call: Call) -> PropertyMap:
    """`tagsAll` without hidden and ignored tags, and `tags`: those that are not merely the provider's defaults."""
    if "tagsAll" not in live:
        return live
    settings = call.session.settings
    everything = {
        k: v for k, v in (live["tagsAll"] or {}).items() if k != MARKER_TAG and not is_ignored_tag(k, settings)
    }
    given = call.inputs.get("tags") or {}
    own = {k: v for k, v in everything.items() if k in given or settings.default_tags.get(k) != v}
    tags = own if own or "tags" in call.inputs else None
    return {**live, "tags": tags, "tagsAll": everything}


def refreshed_inputs(resource: Resource, inputs: PropertyMap, outputs: PropertyMap) -> PropertyMap:
    """The old inputs with the values that AWS has now; only what was given can drift."""
    result: PropertyMap = {}
    for name, value in inputs.items():
        if name == DEFAULTS_KEY or name in resource.write_only:
            result[name] = value
        elif name not in outputs:
            continue  # gone at AWS: the next diff adds it again
        else:
            result[name] = _projected(resource, name, value, outputs[name])
    return result


def _projected(resource: Resource, path: str, given: Value, live: Value) -> Value:
    if equal(path, given, live, resource):
        return given
    if path in {"tags", "tagsAll"}:
        return live
    if isinstance(given, dict) and isinstance(live, dict):
        return {k: _projected(resource, f"{path}.{k}", v, live[k]) for k, v in given.items() if k in live}
    if isinstance(given, list) and isinstance(live, list):
        return _projected_list(resource, path, given, live)
    return live


def _projected_list(resource: Resource, path: str, given: list[Value], live: list[Value]) -> list[Value]:
    """Items are paired where they mean the same, else by position, and cut to the keys that the program gave."""
    rest = list(live)
    result: list[Value] = []
    if len(given) != len(live):
        keys = set[str]().union(*(item.keys() for item in given if isinstance(item, dict)))
        return [
            {k: v for k, v in item.items() if k in keys} if isinstance(item, dict) and keys else item for item in live
        ]
    for item in given:
        index = next((i for i, other in enumerate(rest) if matches(resource, path, item, other)), 0)
        result.append(_projected(resource, f"{path}[0]", item, rest.pop(index)))
    return result


def matches(resource: Resource, path: str, given: Value, live: Value) -> bool:
    """Whether a live item agrees with everything that the given one says."""
    if isinstance(given, dict) and isinstance(live, dict):
        return all(
            k in live and matches(resource, f"{path}.{k}", v, live[k]) for k, v in given.items() if k != DEFAULTS_KEY
        )
    if isinstance(given, list) and isinstance(live, list):
        return len(given) == len(live) and canonical(given) == canonical(live)
    return equal(path, given, live, resource)


def imported_inputs(resource: Resource, schema: ResourceSchema, outputs: PropertyMap) -> PropertyMap:
    """Inputs that describe a live resource: the settable outputs that are not empty and that a program may say."""
    result: PropertyMap = {}
    for name, kind in schema.inputs.properties.items():
        value = outputs.get(name)
        if value is None or value in ("", [], {}) or (name in resource.defaults and resource.defaults[name] == value):
            continue
        cleaned = _settable(value, kind)
        if cleaned not in ({}, []):
            result[name] = cleaned
    if "tagsAll" in outputs:
        result["tagsAll"] = outputs["tagsAll"]
    for name, value in resource.defaults.items():
        result.setdefault(name, value)
    refused = resource.unsupported | {name for name, _ in resource.check(result)}
    return {name: value for name, value in result.items() if name not in refused}


def _settable(value: Value, kind: str) -> Value:
    """`value` without the parts that cannot be set."""
    if kind.startswith("list<") and isinstance(value, list):
        return [_settable(item, kind[5:-1]) for item in value]
    if kind.startswith("#") and isinstance(value, dict):
        properties = object_schema(kind).properties
        return {
            k: _settable(v, properties[k]) for k, v in value.items() if k in properties and v not in (None, "", [], {})
        }
    return value
