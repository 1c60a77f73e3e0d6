"""Reads what people write: YAML, JSON and text, with limits. A fault is a UsageError of one line that names the file and the key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml

from slipway.errors import UsageError

MAX_BYTES = 2**20
"""Of one file."""
MAX_DEPTH = 50
MAX_DIGITS = 1000
"""Of a number: 1:59:59… is one of base 60, and takes the square of its length to read."""
MAX_VALUES = 50_000
"""What stands behind an alias counts at each use: nine lines of aliases can mean a billion values."""
_KINDS: dict[object, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    str: "a text",
    type(None): "nothing",
}
ENVIRONMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
"""Pulumi's rule for the names of stacks. A name that begins with a dash would be a flag of its CLI."""


def find_stack_file(project: Path, environment: str) -> Path:
    """`Pulumi.<environment>.yaml`; UsageError naming those there are when there is none."""
    file = project / f"Pulumi.{environment}.yaml"
    if ENVIRONMENT.fullmatch(environment) and file.is_file():
        return file
    known = ", ".join(list_environments(project))
    shown = environment if len(environment) <= 100 else f"{environment[:100]}…"
    remedy = (
        f"there are: {known}; another one begins as a copy of such a file, Pulumi.<environment>.yaml"
        if known
        else "no stack file is here; go to the project's folder, or name it: `slipway -C FOLDER …`"
    )
    raise UsageError(f"no environment {shown!r}", where=str(project), remedy=remedy)


def list_environments(project: Path) -> list[str]:
    """Those that have a stack file."""
    names = (
        path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        for path in project.glob("Pulumi.*.yaml")
        if path.is_file()
    )
    return sorted(filter(ENVIRONMENT.fullmatch, names))


def read_stack_config(project: Path, environment: str) -> dict[str, Any]:
    """The stack file's values by key, with the defaults of `Pulumi.yaml`."""
    file, common = find_stack_file(project, environment), project / "Pulumi.yaml"
    defaults = mapping_in(read_yaml(common), "config", where=str(common))
    own = mapping_in(read_yaml(file), "config", where=str(file))
    merged = {key: _default(value) for key, value in defaults.items()} | own
    return {key: value for key, value in merged.items() if value is not None}


def read_text(file: Path, *, limit: int = MAX_BYTES) -> str:
    """A file of UTF-8 text."""
    try:
        if file.exists() and not file.is_file():  # reading a pipe would wait for ever
            raise UsageError("is not a file", where=str(file))
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if len(content) > limit:
        raise UsageError(f"is larger than {limit} bytes", where=str(file))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", where=str(file)) from None


def read_yaml(file: Path) -> dict[str, Any]:
    """A YAML file whose root is a mapping, or empty."""
    return parse_yaml(read_text(file), where=str(file))


def parse_yaml(text: str, *, where: str) -> dict[str, Any]:
    """Mapping of one document without tags; {} for an empty one."""
    try:
        _check_events(yaml.parse(text, Loader=yaml.CSafeLoader), where)
        loader = yaml.CSafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return {}
        _check_nodes(root, where)
        document = cast("Any", loader).construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UsageError(f"{line}{error.problem or error.context}", where=where) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # such as the 30th of February
        raise UsageError(f"cannot be read: {' '.join(str(error).split())}", where=where) from None
    return _mapping(document, where)


def read_json(file: Path, *, limit: int = MAX_BYTES) -> dict[str, Any]:
    """A JSON file whose root is an object."""
    return parse_json(read_text(file, limit=limit), where=str(file))


def parse_json(text: str, *, where: str) -> dict[str, Any]:
    """Object of one JSON text."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"{key[:200]!r} is given twice")
            found[key] = value
        return found

    try:
        return _mapping(json.loads(text, object_pairs_hook=unique), where)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"cannot be read as JSON: {error}", where=where) from None


def read_toml(file: Path) -> dict[str, Any]:
    """A TOML file."""
    try:
        return tomllib.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"cannot be read as TOML: {error}", where=str(file)) from None


def mapping_in(document: dict[str, Any], key: str, *, where: str) -> dict[str, Any]:
    """The mapping under `key`; {} where it is missing or empty."""
    return _mapping(document.get(key) or {}, f"{where}: {key}")


def _default(value: Any) -> Any:
    """A project's config entry is a plain value, or a block with `value` or `default`."""
    if not isinstance(value, dict):
        return value
    block = cast("dict[str, Any]", value)
    return block.get("value", block.get("default"))


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = type(cast("object", value))
        raise UsageError(f"want keys with values, not {_KINDS.get(kind, kind.__name__)}", where=where)
    return cast("dict[str, Any]", value)


def _check_events(events: Iterable[Any], where: str) -> None:
    """Before the parser in C nests its calls, and with no value of a type that a tag chooses."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = f"line {event.start_mark.line + 1}"
        if depth > MAX_DEPTH:
            raise UsageError(f"{line}: is nested deeper than {MAX_DEPTH}", where=where)
        if getattr(event, "tag", None):
            raise UsageError(f"{line}: tags like {event.tag[:50]!r} are not read", where=where)


def _check_nodes(root: yaml.Node, where: str) -> None:
    waiting = [(root, "", 0)]
    visited = 0
    while waiting:
        node, path, depth = waiting.pop()
        visited += 1
        if visited + len(waiting) > MAX_VALUES or depth > MAX_DEPTH:
            raise UsageError(
                f"{path or 'line 1'}: aliases and values come to more than {MAX_VALUES} values or {MAX_DEPTH} levels",
                where=where,
            )
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith((":int", ":float")) and len(node.value) > MAX_DIGITS:
            raise UsageError(f"{path or 'line 1'}: want a number of at most {MAX_DIGITS} characters", where=where)
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                inner = f"{path}.{key.value}".lstrip(".")[:200]
                if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                    what = "is given twice" if isinstance(key, yaml.ScalarNode) else "want a text as key"
                    raise UsageError(f"{inner}: {what} (line {key.start_mark.line + 1})", where=where)
                seen.add(key.value)
                waiting.append((value, inner, depth + 1))
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(value, f"{path}[{at}]"[:200], depth + 1) for at, value in enumerate(node.value)]
