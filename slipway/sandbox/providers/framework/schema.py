"""The property lists of the served types, loaded from `schema.json` (written by `schema_generator`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_PATH = Path(__file__).with_name("schema.json")


@dataclass(frozen=True)
class ObjectSchema:
    """Properties of an object, by wire name, with their types in the file's notation."""

    properties: dict[str, str]
    required: frozenset[str]


@dataclass(frozen=True)
class ResourceSchema:
    """One resource type as the SDK declares it."""

    inputs: ObjectSchema
    outputs: dict[str, str]
    always: frozenset[str]
    """Outputs that are never absent: required, with a default, or computed by AWS."""
    secrets: frozenset[str]

    @property
    def optional_computed(self) -> frozenset[str]:
        """Inputs that AWS fills in when they are not given; removing one from a program changes nothing."""
        return frozenset(name for name in self.inputs.properties if name in self.always) - self.inputs.required

    @property
    def computed(self) -> frozenset[str]:
        """Outputs that are not known before AWS answers, unless they were given."""
        return self.always - self.inputs.required


@dataclass(frozen=True)
class FunctionSchema:
    """One function as the SDK declares it."""

    arguments: dict[str, str]
    outputs: dict[str, str]


@cache
def _document() -> dict[str, Any]:
    return (
        json.loads(SCHEMA_PATH.read_text()) if SCHEMA_PATH.exists() else {"resources": {}, "functions": {}, "types": {}}
    )


@cache
def resource_schema(token: str) -> ResourceSchema:
    """The schema of one resource type; KeyError if it is not served."""
    entry = _document()["resources"][token]
    return ResourceSchema(
        inputs=ObjectSchema(entry["inputs"], frozenset(entry["required"])),
        outputs=entry["outputs"],
        always=frozenset(entry["always"]),
        secrets=frozenset(entry["secrets"]),
    )


@cache
def function_schema(token: str) -> FunctionSchema:
    """The schema of one function; KeyError if it is not served."""
    entry = _document()["functions"][token]
    return FunctionSchema(arguments=entry["arguments"], outputs=entry["outputs"])


@cache
def provider_properties() -> dict[str, str]:
    """The provider's own configuration properties."""
    return dict(_document().get("provider", {}))


@cache
def object_schema(reference: str) -> ObjectSchema:
    """The object type that `#Name` refers to."""
    entry = _document()["types"][reference.removeprefix("#")]
    return ObjectSchema(entry["properties"], frozenset(entry["required"]))
