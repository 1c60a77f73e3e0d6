"""What pydantic found wrong with a document, in one line and without the document's values, which may be secret."""

from __future__ import annotations

from pydantic import ValidationError


def describe_faults(error: ValidationError, prefix: str = "") -> str:
    """Every fault with its path, which begins with `prefix`."""
    faults = error.errors(include_url=False, include_input=False)
    described = (f"{prefix}{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].lower()}" for fault in faults)
    return " ".join("; ".join(described).split())
