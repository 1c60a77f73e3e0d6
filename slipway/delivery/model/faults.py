"""What pydantic found wrong with a document, in one line and without the document's values, which may be secret."""

from __future__ import annotations

from pydantic import ValidationError


def describe_faults(error: ValidationError, prefix: str = "") -> str:
    """Every fault with its path, which begins with `prefix`."""
    faults = error.errors(include_url=False, include_input=False)
    described = (f"{prefix}{'.'.join(str(part) for part in fault['loc'])}: {_plain(fault['msg'])}" for fault in faults)
    return " ".join("; ".join(described).split())


def _plain(message: str) -> str:
    """Our own text as it is, with the names and values in it; pydantic's without the capital."""
    ours = message.removeprefix("Value error, ")
    return ours if ours != message else f"{message[:1].lower()}{message[1:]}"
