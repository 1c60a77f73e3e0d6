"""What the installed SDK says about the served types, in the words of checks and diffs.

A type is written `string`, `boolean`, `integer`, `number`, `asset`, `any`, `list<T>`, `map<T>` or `#Name`, an object.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pulumi

from slipway.providers import schema as sdk

_SCALARS: Mapping[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_object_classes: dict[str, type] = {}


@dataclass(frozen=True)
class ObjectSchema:
    """Properties of an object, by wire name, with their types."""

    properties: dict[str, str]
    required: frozenset[str]


@dataclass(frozen=True)
class ResourceSchema:
    """One resource type as the SDK declares it."""

    inputs: ObjectSchema
    outputs: dict[str, str]
    always: frozenset[str]
    """Outputs that are never absent: required, with a default, or computed by AWS."""

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
def resource_schema(token: str) -> ResourceSchema:
    """The schema of one resource type; LookupError if the SDK has none."""
    declared = sdk.resource_schema(sdk.find_class(token), token)
    if declared is None:
        raise LookupError(f"the installed SDK has no inputs of {token}")
    return ResourceSchema(
        inputs=_object(declared.inputs), outputs=_kinds(declared.outputs), always=_required(declared.outputs)
    )


def empty_value(kind: str) -> Any:
    """What states hold of an output of this type that is never absent, where AWS says nothing of it."""
    return [] if kind.startswith("list<") else {"string": "", "boolean": False, "integer": 0}.get(kind)


@cache
def function_schema(token: str) -> FunctionSchema:
    """The schema of one function; LookupError if the SDK has none."""
    declared = sdk.function_schema(token)
    if declared is None:
        raise LookupError(f"the installed SDK has no {token}")
    return FunctionSchema(arguments=_kinds(declared.arguments), outputs=_kinds(declared.outputs))


@cache
def provider_properties() -> dict[str, str]:
    """The AWS provider's own configuration properties."""
    return _kinds(sdk.properties_of(sdk.find_class("aws:index/provider:Provider", "ProviderArgs")))


@cache
def object_schema(reference: str) -> ObjectSchema:
    """The object type that `#Name` refers to."""
    return _object(sdk.properties_of(_object_classes[reference]))


def _object(properties: Mapping[str, sdk.Property]) -> ObjectSchema:
    return ObjectSchema(_kinds(properties), _required(properties))


def _kinds(properties: Mapping[str, sdk.Property]) -> dict[str, str]:
    return {name: _kind(declared.hint) for name, declared in properties.items()}


def _required(properties: Mapping[str, sdk.Property]) -> frozenset[str]:
    return frozenset(name for name, declared in properties.items() if not declared.optional)


def _kind(hint: Any) -> str:
    kinds = [_alternative(wanted) for wanted in sdk.alternatives(hint)]
    if "asset" in kinds:
        return "asset"
    if "string" in kinds:  # an enum, or a document given as an object
        return "any" if any(kind.startswith("#") for kind in kinds) else "string"
    return kinds[0]


def _alternative(wanted: Any) -> str:  # noqa: PLR0911 - one return a kind
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"list<{_kind(arguments[0])}>"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"map<{_kind(arguments[1])}>"
    if not isinstance(wanted, type):
        return "any"
    if issubclass(wanted, pulumi.Asset | pulumi.Archive):
        return "asset"
    if issubclass(wanted, enum.Enum):
        return "string"
    if sdk.is_object_type(wanted):
        reference = f"#{wanted.__module__}.{wanted.__qualname__}"
        _object_classes[reference] = wanted
        return reference
    return _SCALARS.get(wanted, "any")
