"""All resources of a deployment as readable YAML, to be kept beside a test and reviewed like code."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from slipway.providers.values import UNKNOWN, Archive, Asset, Secret
from slipway.testing.result import Deployment, Resource


def describe(deployment: Deployment) -> dict[str, Any]:
    """Every resource under `type name`, with what the engine and its provider were told."""
    names = {resource.urn: f"{resource.type} {resource.name}" for resource in deployment.resources}
    described = {
        names[resource.urn]: _describe(resource, names)
        for resource in sorted(deployment.resources, key=lambda r: (r.type, r.name))
    }
    return {"resources": described, "outputs": _plain(deployment.outputs)}


def _describe(resource: Resource, names: Mapping[str, str]) -> dict[str, Any]:
    # An SDK names its own version and secrets in its providers: an upgrade of it is no change of the program.
    sdk = resource.type.startswith("pulumi:providers:")
    inputs = {key: value for key, value in resource.inputs.items() if not (sdk and key == "version")}
    facts = {
        "parent": names.get(resource.parent),
        "provider": names.get(resource.provider),
        "protect": resource.protect,
        "aliases": list(resource.aliases),
        "waitsFor": sorted(names.get(urn, urn) for urn in resource.dependencies),
        "ignoreChanges": list(resource.ignore_changes),
        "secretOutputs": [] if sdk else list(resource.secret_outputs),
        "inputs": _plain(inputs),
        # A custom resource's outputs are the fake provider's, and say nothing about the program.
        "outputs": None if resource.custom else _plain(resource.outputs),
    }
    return {key: value for key, value in facts.items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return {"secret": _plain(value.value)}
    if value is UNKNOWN:
        return "<unknown>"
    if isinstance(value, Asset | Archive):
        return {"asset": value.fields}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in sorted(cast("Mapping[str, Any]", value).items())}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value


def compare_snapshot(deployment: Deployment, path: Path, *, update: bool) -> None:
    """Fail with the difference to the file; write the file instead when `update`."""
    got = yaml.safe_dump(describe(deployment), sort_keys=False, width=140, allow_unicode=True, default_flow_style=None)
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(got)
    want = path.read_text() if path.exists() else ""
    if got != want:
        lines = difflib.unified_diff(want.splitlines(), got.splitlines(), str(path), "this program", lineterm="")
        raise AssertionError(
            "the program differs from its snapshot (accept with --slipway-update-snapshots):\n" + "\n".join(lines)
        )
