"""Between the names of pulumi-aws and those of AWS's API, which mostly differ in capitals alone: `okActions` and `OKActions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PLAIN = frozenset({"boolean", "double", "float", "integer", "long", "string"})


def operation_model(client: Any, operation: str) -> Any:
    """botocore's description of an operation."""
    return client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])


def api_arguments(client: Any, operation: str, inputs: Mapping[str, Any], **renamed: str) -> dict[str, Any]:
    """The inputs that an operation takes: under their own name, and as `renamed` says (`PrivateIpAddress="privateIp"`).

    Not tags, and no objects whose parts have other names at AWS.
    """
    members = {name.lower(): name for name in operation_model(client, operation).input_shape.members}
    names = {members[name.lower()]: name for name in inputs if name.lower() in members and name != "tags"}
    given = {argument: inputs[name] for argument, name in (names | renamed).items() if inputs.get(name) is not None}
    return {name: value for name, value in given.items() if names.get(name) == name or not _has_parts(value)}


def plain_answers(client: Any, operation: str, member: str) -> dict[str, str]:
    """What an operation answers of a thing that is neither an object nor a list of them: its names, by the same in lower case."""
    shape = operation_model(client, operation).output_shape.members[member]
    found: Mapping[str, Any] = (shape.member if shape.type_name == "list" else shape).members
    return {
        name.lower(): name
        for name, each in found.items()
        if (each.member if each.type_name == "list" else each).type_name in _PLAIN
    }


def _has_parts(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
