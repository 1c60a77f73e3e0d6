"""Replaces methods of moto's classes, and puts them back.

Methods are replaced on moto's own classes, rather than the classes being subclassed, so that the state which the daemon writes
to disk holds moto's types only, whichever version of the sandbox reads it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MISSING = object()


class Patches:
    """Replaced methods."""

    def __init__(self) -> None:
        self._originals: list[tuple[type, str, Any]] = []

    def replace(self, owner: type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replace `owner.name` by what `make` builds around the original."""
        original = getattr(owner, name)
        self._originals.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, make(original))

    def add(self, owner: type, name: str, method: Callable[..., Any]) -> None:
        """Add a method that moto does not have."""
        self._originals.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, method)

    def undo(self) -> None:
        """Put everything back."""
        for owner, name, original in reversed(self._originals):
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        self._originals.clear()
