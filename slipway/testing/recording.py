"""Recorded states: what a stack was, without its secrets, and for which project and stack."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from slipway.documents import read_json
from slipway.providers.wire import SECRET_SIGNATURE, SIGNATURE_KEY
from slipway.testing.replacement import RECORDED_SECRET

_LARGEST_STATE_BYTES = 2**28
_CHANGING = ("created", "modified", "sourcePosition", "stackTrace")
"""What differs in each recording of one program."""


def blank_secrets(value: Any) -> Any:
    """`value` with a placeholder for every secret, encrypted or not. A comparison takes the placeholder for equal to anything."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        if fields.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": json.dumps(RECORDED_SECRET)}
        return {key: blank_secrets(item) for key, item in fields.items()}
    if isinstance(value, list):
        return [blank_secrets(item) for item in cast("list[Any]", value)]
    return value


def load_state(path: Path) -> dict[str, Any]:
    """The deployment of a recorded state, or of any file that `pulumi stack export` writes."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no state is recorded there; `pytest --slipway-record` with this test writes it"
        )
    content = read_json(path, limit=_LARGEST_STATE_BYTES)
    return cast("dict[str, Any]", blank_secrets(content.get("deployment", content)))


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state, one resource a line, so that two recordings of one program are the same text."""
    deployment = cast("dict[str, Any]", blank_secrets(state["deployment"]))
    resources = [_without_chance(resource) for resource in deployment.get("resources", [])]
    lines = ",\n".join(json.dumps(resource, sort_keys=True) for resource in _in_stable_order(resources))
    for resource in resources:
        if resource["type"].startswith("pulumi:providers:"):
            # The engine gives providers random IDs.
            lines = lines.replace(resource["id"], str(uuid.uuid5(uuid.NAMESPACE_URL, resource["urn"])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"version": {state["version"]}, "deployment": {{"resources": [\n{lines}\n]}}}}\n')


def _without_chance(resource: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in resource.items() if key not in _CHANGING}
    if "dependencies" in kept:
        kept["dependencies"] = sorted(kept["dependencies"])
    if "propertyDependencies" in kept:
        kept["propertyDependencies"] = {key: sorted(urns or ()) for key, urns in kept["propertyDependencies"].items()}
    return kept


def _in_stable_order(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By URN, and yet each after what it needs: the engine refuses a state in another order."""
    waiting = {resource["urn"]: resource for resource in sorted(resources, key=lambda each: str(each["urn"]))}
    ordered: list[dict[str, Any]] = []

    def place(urn: str) -> None:
        resource = waiting.pop(urn, None)
        if resource is not None:
            for needed in (resource.get("parent", ""), _provider(resource), *resource.get("dependencies", [])):
                place(needed)
            ordered.append(resource)

    for urn in list(waiting):
        place(urn)
    return ordered


def _provider(resource: Mapping[str, Any]) -> str:
    return str(resource.get("provider", "")).rsplit("::", 1)[0]
