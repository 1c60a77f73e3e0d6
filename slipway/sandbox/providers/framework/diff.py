"""Compare two sets of inputs the way the bridged provider does: by meaning, with paths, and with what needs a replacement."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from slipway.providers.provider import DiffChanges, DiffKind, DiffResult, PropertyDiff
from slipway.providers.values import UNKNOWN, Archive, Asset, PropertyMap, Value, contains_unknown
from slipway.sandbox.providers.framework.check import DEFAULTS_KEY
from slipway.sandbox.providers.framework.policy_equality import equivalent_documents
from slipway.sandbox.providers.framework.resource import Resource
from slipway.sandbox.providers.framework.schema import ResourceSchema

_PLAIN_KEY = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def diff_inputs(resource: Resource, schema: ResourceSchema, olds: PropertyMap, news: PropertyMap) -> DiffResult:
    """What an update from `olds` to `news` would do; both are checked inputs."""
    detailed: dict[str, PropertyDiff] = {}
    changed: dict[str, bool] = {}
    for name in sorted((olds.keys() | news.keys()) - {DEFAULTS_KEY}):
        old, new = olds.get(name), news.get(name)
        if new is None and name in schema.optional_computed:
            continue  # AWS keeps what it has: Terraform plans no change for an optional, computed argument that was removed
        if name == "tagsAll" and olds.get(name) is None and not new:
            continue
        for path, kind in changes_at(name, old, new, resource):
            forced = forces_replacement(resource, path)
            detailed[path] = PropertyDiff(kind=_replacing(kind) if forced else kind)
            changed[name] = changed.get(name, False) or forced
    if not changed:
        return DiffResult(changes=DiffChanges.NONE, detailed={})
    replaces = tuple(name for name, forced in changed.items() if forced)
    return DiffResult(
        changes=DiffChanges.SOME,
        diffs=tuple(changed),
        replaces=replaces,
        detailed=detailed,
        delete_before_replace=bool(replaces) and _name_is_kept(resource, news),
    )


def changes_at(path: str, old: Value, new: Value, resource: Resource) -> Iterator[tuple[str, DiffKind]]:
    """The changed paths below `path`, with their kinds."""
    if equal(path, old, new, resource):
        return
    if new is UNKNOWN:
        yield path, DiffKind.UPDATE if old is not None else DiffKind.ADD
    elif old is None:
        yield path, DiffKind.ADD
    elif new is None:
        yield path, DiffKind.DELETE
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted((old.keys() | new.keys()) - {DEFAULTS_KEY}):
            yield from changes_at(_child(path, str(key)), old.get(key), new.get(key), resource)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_changes(path, old, new, resource)
    else:
        yield path, DiffKind.UPDATE


def _list_changes(path: str, old: list[Value], new: list[Value], resource: Resource) -> Iterator[tuple[str, DiffKind]]:
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else None
        after = new[index] if index < len(new) else None
        yield from changes_at(f"{path}[{index}]", before, after, resource)


def equal(path: str, old: Value, new: Value, resource: Resource) -> bool:  # noqa: PLR0911 - one line for each kind of value
    """Whether two values mean the same at this place."""
    if old is UNKNOWN or new is UNKNOWN:
        return False
    if (old is None and new in ({}, [])) or (new is None and old in ({}, [])):
        return True  # AWS does not tell an empty collection from none, nor does Terraform
    name = without_indexes(path)
    if name in resource.json_properties and isinstance(old, str) and isinstance(new, str):
        return equivalent_documents(old, new)
    if isinstance(old, (Asset, Archive)) and isinstance(new, (Asset, Archive)):
        return type(old) is type(new) and old.hash == new.hash
    if isinstance(old, dict) and isinstance(new, dict):
        keys = (old.keys() | new.keys()) - {DEFAULTS_KEY}
        return all(equal(_child(path, str(key)), old.get(key), new.get(key), resource) for key in keys)
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new) or contains_unknown(new):
            return False
        if name not in resource.ordered:
            old, new = sorted(old, key=canonical), sorted(new, key=canonical)
        return all(equal(f"{path}[{i}]", a, b, resource) for i, (a, b) in enumerate(zip(old, new, strict=True)))
    return bool(old == new)


def canonical(value: Value) -> str:
    """A text that is the same for values that are the same as sets."""
    return json.dumps(_sorted(value), sort_keys=True, default=str)


def _sorted(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in value.items() if key != DEFAULTS_KEY and item is not None}
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True, default=str))
    return value


def forces_replacement(resource: Resource, path: str) -> bool:
    """Whether `path`, or what it is a part of, is declared so."""
    name = without_indexes(path)
    parts = name.split(".")
    return any(".".join(parts[: end + 1]) in resource.force_new for end in range(len(parts)))


def without_indexes(path: str) -> str:
    """`ingress[0].fromPort` as `ingress.fromPort`."""
    return re.sub(r"\[\d+\]", "", path)


def _child(path: str, key: str) -> str:
    return f"{path}.{key}" if _PLAIN_KEY.match(key) else f'{path}["{key}"]'


def _replacing(kind: DiffKind) -> DiffKind:
    return DiffKind(f"{kind.value}-replace")


def _name_is_kept(resource: Resource, news: PropertyMap) -> bool:
    """Two resources cannot have one name: with an explicit one the old resource must go first."""
    if resource.delete_before_replace:
        return True
    rule = resource.auto_name
    return rule is not None and rule.property in news and rule.property not in (news.get(DEFAULTS_KEY) or ())
