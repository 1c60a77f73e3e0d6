"""Replaces methods of moto's classes, and puts them back.

Methods are replaced on moto's own classes, rather than the classes being subclassed, so that the state which the daemon writes
to disk holds moto's types only, whichever version of the sandbox reads it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Method = Callable[..., Any]
_MISSING = object()


class Patches:
    """Replaced methods."""

    def __init__(self) -> None:
        self._originals: list[tuple[type, str, Any]] = []

    def replace(self, owner: type, name: str, hook: Method, **context: Any) -> None:
        """Call `hook` in place of `owner.name`, with the original before its arguments, and `context`."""
        original = getattr(owner, name)

        def method(*args: Any, **kwargs: Any) -> Any:
            return hook(original, *args, **kwargs, **context)

        self.put(owner, name, method)

    def put(self, owner: type, name: str, method: Method) -> None:
        """Put a method in place of `owner.name`, or where moto has none."""
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
