"""Sends what the program prints to the engine's events, and leaves everybody else's output alone.

The program shares the process with the engine, whose own display also prints. A context variable tells them apart: it is set in the
program's context, which its tasks and executor threads inherit.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any, TextIO

_is_program: contextvars.ContextVar[bool] = contextvars.ContextVar("slipway_program", default=False)


class _Divided:
    """A text stream that is the program's in the program's context, and the original everywhere else."""

    def __init__(self, original: TextIO, on_text: Callable[[str], None]) -> None:
        self._original = original
        self._on_text = on_text
        self._lock = threading.Lock()
        self._line = ""

    def write(self, text: str) -> int:
        if not _is_program.get():
            return self._original.write(text)
        with self._lock:
            *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            self._on_text(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        if not _is_program.get():
            self._original.flush()

    def finish(self) -> None:
        """Pass on a last line that has no end."""
        with self._lock:
            rest, self._line = self._line, ""
        if rest:
            self._on_text(rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _mark_context() -> None:
    _is_program.set(True)


@contextlib.contextmanager
def capture_output(on_text: Callable[[str], None]) -> Generator[Callable[[], None]]:
    """Divide stdout and stderr while the block runs; yields what to call in the program's context."""
    stdout, stderr = sys.stdout, sys.stderr
    divided = _Divided(stdout, on_text), _Divided(stderr, on_text)
    sys.stdout, sys.stderr = divided  # pyright: ignore[reportAttributeAccessIssue] - as much of a stream as print needs
    try:
        yield _mark_context
    finally:
        sys.stdout, sys.stderr = stdout, stderr
        for stream in divided:
            stream.finish()
