"""What is said of a faulty setting, the same for every project: its key, what is wanted and what was found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel, ValidationError


def decode_settings(raw: Mapping[str, str], model: type[BaseModel]) -> dict[str, Any]:
    """The values of config texts by key. A key that wants a text keeps it; what is no JSON is left for the validation to refuse."""
    fields = {to_camel(name): field for name, field in model.model_fields.items()}
    document: dict[str, Any] = {}
    for key, text in raw.items():
        annotation = fields[key].annotation if key in fields else None
        try:
            document[key] = text if annotation is str else json.loads(text)
        except (ValueError, RecursionError):
            # A key that wants a block but holds a word, or a number or a nesting beyond reading.
            document[key] = text
    return document


def describe_faults(namespace: str, error: ValidationError) -> list[str]:
    """One line for each fault."""
    return [_describe(namespace, fault["loc"], fault["msg"], fault["input"]) for fault in error.errors()]


def _describe(namespace: str, location: tuple[int | str, ...], message: str, got: object) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if message == "Field required":
        return f"{namespace}:{key}: missing"
    if message == "Extra inputs are not permitted":
        return f"{namespace}:{key}: unknown key"
    text = message.removeprefix("Value error, ")
    shown = "" if isinstance(got, (dict, list)) else f", not {got!r}"  # a whole block says nothing and fills the screen
    return f"{namespace}:{key}: {text[0].lower()}{text[1:]}{shown}"
