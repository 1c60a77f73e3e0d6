"""Keeps secrets out of messages: what a provider's error, a log line or the program itself says may repeat one word for word."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import cast

from slipway.engine.events import BLINDED
from slipway.engine.values import PropertyMap, Secret, Value, walk

SHORTEST_SECRET = 5
"""Letters. A shorter text is no secret worth the name, and blinding `true` or `8080` wherever it stands would make messages useless."""


class SecretMask:
    """The secret texts known so far. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._named: set[str] = set()
        """Secrets by themselves: configuration. What else is said in the open does not change that."""
        self._found: set[str] = set()
        """Texts inside of secret values."""
        self._open: set[str] = set()
        """Texts that the program gives in the open."""
        self._pattern: re.Pattern[str] | None = None
        self._is_current = True

    def add(self, text: str) -> None:
        """Remember one secret text."""
        self._learn(self._named, [text])

    def add_all(self, value: Value) -> None:
        """Remember every text inside a secret, at any depth of `value`."""
        self._learn(self._found, _secret_texts(value))

    def add_inputs(self, inputs: PropertyMap) -> None:
        """The same for a resource's inputs, where what stands in the open is no secret elsewhere either: the name of a database is
        none for being kept beside its password."""
        self.add_all(inputs)
        self._learn(self._open, _open_texts(inputs))

    def apply(self, text: str) -> str:
        """The text with every known secret in it blinded."""
        with self._lock:
            if not self._is_current:
                longest_first = sorted(self._named | (self._found - self._open), key=len, reverse=True)
                self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
                self._is_current = True
            return self._pattern.sub(BLINDED, text) if self._pattern else text

    def _learn(self, known: set[str], texts: Iterator[str] | list[str]) -> None:
        fresh = {text for text in texts if len(text) >= SHORTEST_SECRET} - known
        if fresh:
            with self._lock:
                known |= fresh
                self._is_current = False


def _secret_texts(value: Value) -> Iterator[str]:
    for part in walk(value):
        if isinstance(part, Secret):
            yield from (inner for inner in walk(part.value) if isinstance(inner, str))


def _open_texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[Value]", value):
            yield from _open_texts(item)
    elif isinstance(value, dict):
        for item in cast("PropertyMap", value).values():
            yield from _open_texts(item)
