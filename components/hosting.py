"""The components for programs in other languages: one schema, and what arrives made into the arguments that components take."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

import pulumi
from pulumi.provider import main
from pulumi.provider.experimental.analyzer import ComponentDefinition, PropertyDefinition
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.experimental.schema import generate_schema

from .blue_green_service import BlueGreenService
from .cluster import Cluster
from .database import Database
from .environment import Environment
from .errors import ArgsError
from .image import Image
from .load_balancer import LoadBalancer
from .monitoring import Monitoring

NAME = "slipway"
VERSION = "0.1.0"
OFFERED: tuple[type[pulumi.ComponentResource], ...] = (
    BlueGreenService,
    Cluster,
    Database,
    Environment,
    Image,
    LoadBalancer,
    Monitoring,
)


class Host(ComponentProvider):
    """Pulumi's own host, but for components whose arguments are dataclasses: defaults are optional, and the checks run."""

    def __init__(self) -> None:
        super().__init__(list(OFFERED), NAME, version=VERSION)
        for name, definition in self._component_defs.items():
            _mark_defaults(_args_type(self._components[name]), definition.inputs, definition.inputs_mapping)
        for definition in self._type_defs.values():
            _mark_defaults(definition.python_type, definition.properties, definition.properties_mapping)
        self.schema = json.dumps(
            generate_schema(NAME, VERSION, None, self._component_defs, self._type_defs, self._dependencies).to_json()
        )

    def map_inputs(self, inputs: pulumi.Inputs, component_def: ComponentDefinition) -> Any:
        """The component's arguments; InputPropertyError where they cannot be used."""
        plain = super().map_inputs(inputs, component_def)
        try:
            return _build(_args_type(self._components[component_def.name]), plain)
        except ArgsError as error:
            raise pulumi.InputPropertyError(error.field, str(error)) from error


def host(arguments: Sequence[str]) -> None:
    """Serve the components until the engine goes."""
    main(Host(), list(arguments))


def _args_type(component: type[pulumi.ComponentResource]) -> type:
    return inspect.get_annotations(component.__init__)["args"]


def _mark_defaults(owner: type, properties: Mapping[str, PropertyDefinition], python_names: Mapping[str, str]) -> None:
    """Pulumi's analyzer reads annotations only, and takes an argument with a default for a required one."""
    if not is_dataclass(owner):
        return
    defaulted = {
        field.name for field in fields(owner) if field.default is not MISSING or field.default_factory is not MISSING
    }
    for name, definition in properties.items():
        definition.optional = definition.optional or python_names[name] in defaulted


def _build(hint: Any, value: Any) -> Any:
    """`value`, as it came over the wire, as the type that `hint` names. What is only passed on (an Input) stays as it is."""
    if value is None or isinstance(value, pulumi.Output):
        return cast("Any", value)
    if get_origin(hint) in (Union, UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return _build(inner[0], value) if len(inner) == 1 else value
    if isinstance(hint, type) and is_dataclass(hint):
        hints = inspect.get_annotations(hint)
        return hint(**{name: _build(hints[name], part) for name, part in value.items()})
    if get_origin(hint) is Mapping:
        return {key: _build(get_args(hint)[1], part) for key, part in value.items()}
    if get_origin(hint) is Sequence:
        return [_build(get_args(hint)[0], part) for part in value]
    return int(value) if hint is int else value  # every number is a float on the wire
