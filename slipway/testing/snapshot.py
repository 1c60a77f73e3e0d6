"""All resources of a deployment as readable YAML, to be kept beside a test and reviewed like code."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from slipway.documents import read_yaml
from slipway.providers.values import UNKNOWN, Archive, Asset, Secret
from slipway.testing.result import Deployment, Resource

MADE_ONCE = "<made once>"
_PLACE = "place"
"""A resource's parent and provider, which many have in common."""


def describe(deployment: Deployment) -> dict[str, Any]:
    """By parent and provider: every resource under `type name`, with what the engine and its provider were told."""
    return {"resources": _grouped(_resources(deployment)), "outputs": _plain(deployment.outputs)}


def _resources(deployment: Deployment) -> dict[str, dict[str, Any]]:
    names = {resource.urn: f"{resource.type} {resource.name}" for resource in deployment.resources}
    return {
        names[resource.urn]: _describe(resource, names)
        for resource in sorted(deployment.resources, key=lambda r: (r.type, r.name))
    }


def _grouped(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for name, facts in resources.items():
        rest = {key: value for key, value in facts.items() if key != _PLACE}
        groups.setdefault(facts[_PLACE], {})[name] = rest
    return dict(sorted(groups.items()))


def _ungrouped(groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    return {name: {_PLACE: place, **facts} for place, group in groups.items() for name, facts in group.items()}


def _describe(resource: Resource, names: Mapping[str, str]) -> dict[str, Any]:
    # An SDK names its own version and secrets in its providers: an upgrade of it is no change of the program.
    sdk = resource.type.startswith("pulumi:providers:")
    inputs = {key: value for key, value in resource.inputs.items() if not (sdk and key == "version")}
    provider = f" on {names[resource.provider]}" if resource.provider in names else ""
    facts = {
        _PLACE: f"below {names.get(resource.parent, 'the stack')}{provider}",
        "protect": resource.protect,
        "aliases": list(resource.aliases),
        "waitsFor": sorted(names.get(urn, urn) for urn in resource.dependencies),
        "ignoreChanges": list(resource.ignore_changes),
        "secretOutputs": [] if sdk else list(resource.secret_outputs),
        # A secret that is ignored later may be a new one in each run, of which the first is kept.
        "inputs": {
            key: _plain(value, made_once=key in resource.ignore_changes) for key, value in sorted(inputs.items())
        },
        # A custom resource's outputs are the fake provider's, and say nothing about the program.
        "outputs": None if resource.custom else _plain(resource.outputs),
    }
    return {key: value for key, value in facts.items() if value}


def _plain(value: Any, *, made_once: bool = False) -> Any:
    if isinstance(value, Secret):
        return {"secret": MADE_ONCE if made_once else _plain(value.value)}
    if value is UNKNOWN:
        return "<unknown>"
    if isinstance(value, Asset | Archive):
        return {"asset": value.fields}
    if isinstance(value, Mapping):
        items = sorted(cast("Mapping[str, Any]", value).items())
        return {key: _plain(item, made_once=made_once) for key, item in items}
    if isinstance(value, list):
        return [_plain(item, made_once=made_once) for item in cast("list[Any]", value)]
    return value


def differences(deployment: Deployment, base: Path) -> dict[str, Any]:
    """What another stack of the program has otherwise than the one whose snapshot `base` is, each stack's name as `{stack}`.

    The file is named after its stack: `dev.yaml`. Changed properties stand under their paths, missing ones as `<absent>`; a string that
    is JSON is compared part by part.
    """
    before = _for_any_stack(read_yaml(base), base.stem)
    after = _for_any_stack(describe(deployment), deployment.stack)
    old, new = _ungrouped(before["resources"]), _ungrouped(after["resources"])
    changed = {name: dict(_changes("", old[name], new[name])) for name in new if name in old}
    parts = {
        "added": _grouped({name: facts for name, facts in new.items() if name not in old}),
        "removed": [name for name in old if name not in new],
        "changed": {name: paths for name, paths in changed.items() if paths},
        "outputs": dict(_changes("", before["outputs"], after["outputs"])),
    }
    return {part: found for part, found in parts.items() if found}


def _for_any_stack(value: Any, stack: str) -> Any:
    if isinstance(value, str):
        return re.sub(rf"(?<![\w.]){re.escape(stack)}(?!\w)", "{stack}", value)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {_for_any_stack(key, stack): _for_any_stack(item, stack) for key, item in fields.items()}
    return [_for_any_stack(item, stack) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _changes(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any]]:
    old_parts, new_parts = _parts(old), _parts(new)
    if old == new:
        return
    if old_parts is None or new_parts is None or isinstance(old, list) != isinstance(new, list):
        yield path, new
        return
    for key in {**old_parts, **new_parts}:
        inner = f"{path}{key}" if key.startswith("[") or not path else f"{path}.{key}"
        if key not in new_parts:
            yield inner, "<absent>"
        elif key not in old_parts:
            yield inner, new_parts[key]
        else:
            yield from _changes(inner, old_parts[key], new_parts[key])


def _parts(value: Any) -> dict[str, Any] | None:
    """The parts of an object, of a list, or of JSON text, by their place in the path; None for a value without parts."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, list):
        return {f"[{index}]": item for index, item in enumerate(cast("list[Any]", value))}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def compare_snapshot(deployment: Deployment, path: Path, *, base: Path | None = None, update: bool) -> None:
    """Fail with the difference to the file; write the file instead when `update`. With a `base` the file has `differences` only."""
    described = differences(deployment, base) if base else describe(deployment)
    got = yaml.safe_dump(described, sort_keys=False, width=140, allow_unicode=True, default_flow_style=None)
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(got)
    want = path.read_text() if path.exists() else ""
    if got != want:
        lines = difflib.unified_diff(want.splitlines(), got.splitlines(), str(path), "this program", lineterm="")
        raise AssertionError(
            "the program differs from its snapshot (accept with --slipway-update-snapshots):\n" + "\n".join(lines)
        )
