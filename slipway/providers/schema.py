"""What an installed SDK says about its types: properties, which of them are required, and their type hints.

The classes are read with Python's own introspection. A class is read when it is asked for, 5 ms each; its module is imported then,
unless the program has done so.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pulumi


@dataclass(frozen=True)
class Property:
    """One property of an object type, under its name on the wire."""

    name: str
    hint: Any
    optional: bool
    forces_new: bool = False
    """The SDK's documentation says that a change makes a new resource."""


@dataclass(frozen=True)
class ResourceSchema:
    """Inputs and outputs of one resource type."""

    inputs: Mapping[str, Property]
    outputs: Mapping[str, Property]
    open: bool
    """Takes properties beside the ones it declares, as a Kubernetes custom resource does."""


_FORCES_NEW = re.compile(r"forces? (?:a |the creation of a )?new|forces? replacement", re.IGNORECASE)


@cache
def properties_of(cls: type) -> Mapping[str, Property]:
    """The properties of an input type, output type or resource class, from its `pulumi.getter`s."""
    found: dict[str, Property] = {}
    namespace = _namespace(cls)
    for _, member in inspect.getmembers(cls, lambda value: isinstance(value, property)):
        getter = typing.cast("property", member).fget
        name = getattr(getter, "_pulumi_name", None)
        if getter is None or name is None:
            continue
        # Deprecated properties are wrapped; the annotations are those of the function inside.
        hint = typing.get_type_hints(inspect.unwrap(getter), globalns=namespace, localns=_PLUMBING).get("return", Any)
        document = inspect.getdoc(getter) or ""
        found[str(name)] = Property(str(name), hint, _is_optional(hint), bool(_FORCES_NEW.search(document)))
    return found


def is_object_type(cls: type) -> bool:
    """Whether the SDK declares this class as an object of its inputs or outputs."""
    return hasattr(cls, "_pulumi_input_type") or hasattr(cls, "_pulumi_output_type")


_PLUMBING: dict[str, Any] = {"Output": pulumi.Output, "T": type(None)}


def _namespace(cls: type) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        module = sys.modules.get(base.__module__)
        namespace.update(vars(module) if module else {})
    return namespace


def _is_optional(hint: Any) -> bool:
    return type(None) in _flatten(hint)


def _flatten(hint: Any) -> Iterator[Any]:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(hint):
            if typing.get_origin(part) not in (Awaitable, pulumi.Output):
                yield from _flatten(part)
    elif origin is pulumi.Output:
        yield from _flatten(typing.get_args(hint)[0])
    else:
        yield hint


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types that a hint allows, without `Input`, `Output` and `Optional`; an object type once, not as a dict beside its class."""
    return tuple(part for part in _flatten(hint) if part is not type(None) and not typing.is_typeddict(part))


@cache
def resource_schema(cls: type, token: str) -> ResourceSchema | None:
    """The schema of a resource class of an SDK; None for a class without an `…Args` class, such as a dynamic resource."""
    module = sys.modules[cls.__module__]
    # `InitArgs` where an object type of the module has the name with `Args`.
    arguments = getattr(module, f"{cls.__name__}InitArgs", None) or getattr(module, f"{cls.__name__}Args", None)
    if arguments is None:
        return None
    declared = getattr(cls, "pulumi_type", None)
    return ResourceSchema(properties_of(arguments), properties_of(cls), open=declared != token)


@dataclass(frozen=True)
class FunctionSchema:
    """Arguments and results of one function."""

    arguments: Mapping[str, Property]
    outputs: Mapping[str, Property]


@cache
def function_schema(token: str) -> FunctionSchema | None:
    """The schema of a function; None where its module is not found."""
    package, _, name = token.split(":")
    snake = _snake(name)
    root = f"pulumi_{package.replace('-', '_')}."
    elsewhere = (n for n in list(sys.modules) if n.startswith(root) and n.endswith(f".{snake}"))
    for module in (_module_of(token), *map(sys.modules.get, elsewhere)):
        function = getattr(module, snake, None)
        result = getattr(module, f"{name[0].upper()}{name[1:]}Result", None)
        if inspect.isfunction(function) and result is not None and f"'{token}'" in inspect.getsource(function):
            return FunctionSchema(_arguments(function), properties_of(result))
    return None


def find_class(token: str, name: str = "") -> type:
    """The class of a resource type, or another one of its module; LookupError where the SDK has none."""
    found = getattr(_module_of(token), name or token.rsplit(":", 1)[-1], None)
    if not isinstance(found, type):
        raise LookupError(f"the installed SDK has no {name or token}")
    return found


def _module_of(token: str) -> types.ModuleType | None:
    """`aws:lb/listener:Listener` is in `pulumi_aws.lb.listener`."""
    package, middle, name = token.split(":")
    folder, _, file = middle.partition("/")
    parent = f"pulumi_{package.replace('-', '_')}" + ("" if folder == "index" else f".{_snake(folder)}")
    try:
        # The SDK loads its packages when a name of theirs is asked for. One that is loaded by the import of a module inside it
        # stays without that module's names.
        getattr(importlib.import_module(parent), "__all__", None)
        return importlib.import_module(f"{parent}.{_snake(file or name)}")
    except ModuleNotFoundError:
        return None


def _arguments(function: types.FunctionType) -> dict[str, Property]:
    hints = typing.get_type_hints(function, localns=_PLUMBING)
    found: dict[str, Property] = {}
    for parameter in inspect.signature(function).parameters:
        if parameter != "opts":
            name = re.sub(r"_(\w)", lambda match: match[1].upper(), parameter)
            hint = hints.get(parameter, Any)
            found[name] = Property(name, hint, _is_optional(hint))
    return found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z])(?=[a-z])", r"_\1\2", name).lower()


@cache
def installed_packages() -> Mapping[str, str]:
    """The name and version of every resource package whose Python SDK is installed."""
    found: dict[str, str] = {}
    for entry in sys.path:
        for file in Path(entry or ".").glob("pulumi_*/pulumi-plugin.json"):
            plugin = json.loads(file.read_text())
            if plugin.get("resource") and plugin.get("name"):
                found.setdefault(plugin["name"], plugin.get("version", ""))
    return found
