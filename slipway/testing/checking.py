"""Are inputs what the package's schema wants? Says what is wrong where, as a provider does."""

# pyright: reportUnknownArgumentType=false
# Type hints and property values are of any shape.

from __future__ import annotations

import difflib
import enum
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from slipway.providers.schema import Property, alternatives, properties_of
from slipway.providers.values import UNKNOWN, Archive, Asset, Secret, unwrap_secrets

_SCALARS = {str: "a string", bool: "a boolean", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with the inputs."""

    path: str
    reason: str


def check_properties(
    values: Mapping[str, Any], properties: Mapping[str, Property], *, path: str = "", open_: bool = False
) -> Iterator[Fault]:
    """Everything that is wrong: missing, unknown and wrongly typed properties, at any depth."""
    for name, declared in properties.items():
        if not declared.optional and values.get(name) is None:
            yield Fault(_join(path, name), f"missing required property, want {describe(declared.hint)}")
    for name, value in values.items():
        declared = properties.get(name)
        if declared is not None:
            yield from check_value(value, declared.hint, _join(path, name))
        elif not open_ and not name.startswith("__"):
            near = difflib.get_close_matches(name, properties, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield Fault(_join(path, name), f"unknown property{hint}")


def check_value(value: Any, hint: Any, path: str) -> Iterator[Fault]:
    """Everything that is wrong with one value."""
    if isinstance(value, Secret):
        value = value.value
    if value is None or value is UNKNOWN:
        return
    nearest: list[Fault] | None = None
    for alternative in alternatives(hint):
        faults = list(_check_alternative(value, alternative, path))
        if not faults:
            return
        # Faults inside say more than "want an object": the value has the right shape.
        if any(fault.path != path for fault in faults) and (nearest is None or len(faults) < len(nearest)):
            nearest = faults
    yield from nearest or [Fault(path, f"want {describe(hint)}, got {_show(value)}")]


def _check_alternative(value: Any, wanted: Any, path: str) -> Iterator[Fault]:
    origin = typing.get_origin(wanted)
    wrong = Fault(path, f"want {describe(wanted)}, got {_show(value)}")
    if origin is typing.Literal:
        ok = value in typing.get_args(wanted)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _check_map(value, wanted, path, wrong)
        return
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        yield from _check_list(value, wanted, path, wrong)
        return
    elif not isinstance(wanted, type):
        return  # `Any`, or a hint that says nothing about the wire
    elif issubclass(wanted, enum.Enum):
        ok = value in [member.value for member in wanted]
    elif issubclass(wanted, pulumi.Asset | pulumi.Archive):
        ok = isinstance(value, Asset | Archive)
    elif wanted in _SCALARS:
        ok = _is_scalar(value, wanted)
    elif properties_of(wanted):
        if isinstance(value, dict):
            yield from check_properties(cast("dict[str, Any]", value), properties_of(wanted), path=path)
            return
        ok = False
    else:
        return
    if not ok:
        yield wrong


def _check_map(value: Any, wanted: Any, path: str, wrong: Fault) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield wrong
        return
    item = (*typing.get_args(wanted), Any, Any)[1]
    for key, part in cast("dict[str, Any]", value).items():
        yield from check_value(part, item, f"{path}[{json.dumps(key)}]" if not key.isidentifier() else _join(path, key))


def _check_list(value: Any, wanted: Any, path: str, wrong: Fault) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield wrong
        return
    item = (*typing.get_args(wanted), Any)[0]
    for index, part in enumerate(cast("list[Any]", value)):
        yield from check_value(part, item, f"{path}[{index}]")


def _is_scalar(value: Any, wanted: type) -> bool:
    if wanted is bool or isinstance(value, bool):
        return wanted is bool and isinstance(value, bool)
    return isinstance(value, (int, float) if wanted is float else wanted)


def describe(hint: Any) -> str:
    """A hint in words."""
    return " or ".join(dict.fromkeys(_describe(part) for part in alternatives(hint)))


def _describe(wanted: Any) -> str:
    origin = typing.get_origin(wanted)
    arguments = typing.get_args(wanted)
    if origin is typing.Literal:
        return " or ".join(repr(each) for each in arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a map of {describe(arguments[1])}" if arguments else "a map"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {describe(arguments[0])}" if arguments else "a list"
    if wanted in _SCALARS:
        return _SCALARS[wanted]
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return "one of " + ", ".join(repr(member.value) for member in wanted)
    return str(getattr(wanted, "__name__", wanted)).removesuffix("Args")


def _show(value: Any) -> str:
    text = json.dumps(unwrap_secrets(value), default=repr)
    kind = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    short = text if len(text) <= 60 else text[:57] + "..."
    return f"the {kind.get(type(value), type(value).__name__)} {short}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
