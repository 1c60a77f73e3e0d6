"""Writes settings.md from the models of `infra/stack_file.py`: python -m docs.generate_settings (a test says when it is due)."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from docs.generate_components import attributes
from infra.stack_file import StackSettings
from slipway.contract.steps import StepSettings

PAGE = Path(__file__).parent / "settings.md"
HEAD = """# Settings of a stack file

Generated from `infra/stack_file.py` by `python -m docs.generate_settings`; change them there.

An environment is one file, `Pulumi.<environment>.yaml`. All keys but `aws:region` begin with `slipway:`.
See also [what to write for AWS](real-account.md), [what it costs](costs.md) and [the foundation's settings](foundation.md#settings).

One key is a secret, and not in the tables: `slipway:webhookUrl`, the address of a Slack webhook, which gets the messages about releases.
`pulumi config set -s <environment> --secret slipway:webhookUrl` asks for it.
"""
ELSEWHERE = {
    "rollout.analysis": "entries: [see there](analysis.md)",
    "rollout.routes": "entries: [see there](architecture.md#trying-a-release-first)",
}
"""Settings that a page of its own explains, with the type to show for them."""
NAMES = {str: "text", bool: "true or false", int: "number", float: "number", date: "date", datetime: "date and time"}


def sections(model: type[BaseModel] = StackSettings, path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Each block of settings with its path, in the order of the file; the whole file comes first."""
    yield path, model
    for name, field in model.model_fields.items():
        inner = f"{path}.{_key(name, field)}".lstrip(".")
        for found in () if inner in ELSEWHERE else _models(field.annotation):
            many = get_origin(field.annotation) is not None
            yield from sections(found, f"{inner}[…]" if many else inner)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each field, also of those that another model has given it."""
    owners = [owner for owner in reversed(model.__mro__) if issubclass(owner, BaseModel) and owner is not BaseModel]
    return {each.name: each.doc for owner in owners for each in attributes(owner) if each.name in model.model_fields}


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *(_section(path, model) for path, model in sections())])


def _section(path: str, model: type[BaseModel]) -> str:
    docs = meanings(model)
    lines = [f"## `slipway:{path}`" if path else "## The whole file", ""]
    lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        key = _key(name, field)
        kind = ELSEWHERE.get(f"{path}.{key}") or _type(field.annotation, field.metadata)
        cells = (f"`{key}`", kind, _default(field), docs[name])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own defaults"
    if value is None or value in ("", (), [], {}):
        return "none"
    return f"`{json.dumps(to_jsonable_python(value, by_alias=True))}`"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The blocks of settings in a type. A step is a number, or a block of two lines that its docstring shows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation is not StepSettings:
            yield annotation
        return
    for part in get_args(annotation):
        yield from _models(part)


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *more = parts
        return _type(inner, [constraint for each in more for constraint in getattr(each, "metadata", [each])])
    if origin is Literal:
        return _either([f"`{part}`" for part in parts])
    if origin in {Union, types.UnionType}:
        return _either([_type(part, metadata) for part in parts if part is not types.NoneType])
    if origin in {list, tuple}:
        return f"list: {_type(parts[0])}"
    return f"by name: {_type(parts[1])}" if origin is dict else _plain(annotation, metadata)


def _plain(kind: type, metadata: Sequence[Any]) -> str:
    if issubclass(kind, Enum):
        return _either([f"`{each.value}`" for each in kind])
    if issubclass(kind, BaseModel):
        return "number from 0 to 100, or a block" if kind is StepSettings else "block, see below"
    return NAMES[kind] + (_limits(metadata) if NAMES[kind] == "number" else "")


def _limits(metadata: Sequence[Any]) -> str:
    bounds = {
        name: getattr(each, name) for each in metadata for name in ("ge", "gt", "le", "lt") if hasattr(each, name)
    }
    lower = f"{bounds['ge']:g}" if "ge" in bounds else f"above {bounds['gt']:g}" if "gt" in bounds else ""
    upper = f"{bounds['le']}" if "le" in bounds else f"below {bounds['lt']}" if "lt" in bounds else ""
    if lower and upper:
        return (
            f" from {lower} to {upper}"
            if "above" not in lower + upper and "below" not in upper
            else f", {lower}, {upper}"
        )
    if lower:
        return f", {lower}" if "above" in lower else f", {lower} or more"
    return ""


def _either(texts: Sequence[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


if __name__ == "__main__":
    PAGE.write_text(render())
