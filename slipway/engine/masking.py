"""Keeps secrets out of messages: what a provider's error, a log line or the program itself says may repeat one word for word."""

from __future__ import annotations

import re
import threading

from slipway.engine.events import BLINDED
from slipway.engine.values import Secret, Value, walk

SHORTEST_SECRET = 5
"""Letters. A shorter text is no secret worth the name, and blinding `true` or `8080` wherever it stands would make messages useless."""


class SecretMask:
    """The secret texts known so far. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, text: str) -> None:
        """Remember one secret text."""
        if len(text) < SHORTEST_SECRET or text in self._texts:
            return
        with self._lock:
            self._texts.add(text)
            self._pattern = None

    def add_all(self, value: Value) -> None:
        """Remember every text inside a secret, at any depth of `value`."""
        for part in walk(value):
            if isinstance(part, Secret):
                for inner in walk(part.value):
                    if isinstance(inner, str):
                        self.add(inner)

    def apply(self, text: str) -> str:
        """The text with every known secret in it blinded."""
        if not self._texts:
            return text
        with self._lock:
            if self._pattern is None:
                longest_first = sorted(self._texts, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(re.escape, longest_first)))
            return self._pattern.sub(BLINDED, text)
