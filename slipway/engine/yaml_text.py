"""YAML as Pulumi reads it: `yes`, `on` and dates are plain text, booleans are `true` and `false` only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import yaml

from slipway.errors import UsageError


class _Loader(yaml.CSafeLoader):
    """Go's yaml.v3 decoding into `any`: booleans of YAML 1.2. Dates stay text, because configuration is text in the end."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
cast(Any, _Loader).add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_yaml_mapping(path: Path) -> dict[str, Any]:
    """The mapping a file holds; empty for an empty file. Raises UsageError with line and column, and FileNotFoundError."""
    try:
        data: object = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise UsageError(f"cannot be read: {problem}", where=f"{path}{position}", remedy="mend the YAML") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UsageError("must hold a mapping of keys to values", where=str(path), remedy="write `key: value` lines")
    return cast(dict[str, Any], data)
