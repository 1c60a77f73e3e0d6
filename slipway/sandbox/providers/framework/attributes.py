"""Attributes that AWS takes and gives as text."""

from __future__ import annotations

from typing import Any


def attribute_text(value: Any) -> str:
    """ELB's attributes are texts."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def parsed(text: str) -> Any:
    """`true` and `15` as a boolean and a number."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdigit() else text
