"""Child processes that end with us: Ctrl-C reaches them and is never lost, and a killed parent leaves none behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

KEPT_CHARACTERS = 20_000
"""As much of the end of a child's error output as is kept to understand a failure."""
STOP_TIMEOUT_SECONDS = 60
"""A cancelled CLI waits for the steps under way, so that their results reach the state."""
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a child ended."""

    code: int
    """Exit code; 130 where a signal ended it."""
    stdout: str = ""
    """Empty where it went to the terminal."""
    stderr: str = ""
    """The end of it."""
    interrupted: bool = False
    """We were asked to end while it ran."""


def run_shown(argv: Sequence[str], environ: Mapping[str, str], *, withheld: str = "") -> Finished:
    """Run with our standard input and output, however long it takes; error output is shown and kept.

    `withheld`: a message with this text is kept only, because the caller acts on it.
    """
    with (
        subprocess.Popen(_dying_with_parent(argv), env=environ, stderr=subprocess.PIPE) as child,
        _passing_on_signals(child) as asked,
    ):
        assert child.stderr is not None  # noqa: S101 - given as a pipe above
        tail = _Tail(child.stderr, sys.stderr.buffer, withheld.encode())
        code = child.wait()
        return Finished(code=_code(code), stderr=tail.text(), interrupted=bool(asked))


def run_quietly(
    argv: Sequence[str], environ: Mapping[str, str], *, timeout_seconds: float, given: str = ""
) -> Finished:
    """Run without a terminal and keep what is printed. TimeoutError when it takes too long; it is cancelled first."""
    with (
        subprocess.Popen(
            _dying_with_parent(argv),
            env=environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child,
        _passing_on_signals(child) as asked,
    ):
        try:
            stdout, stderr = child.communicate(given, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            child.terminate()
            try:
                child.communicate(timeout=STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
            raise TimeoutError(f"{argv[0]} took over {timeout_seconds:.0f} s") from None
        return Finished(
            code=_code(child.returncode), stdout=stdout, stderr=stderr[-KEPT_CHARACTERS:], interrupted=bool(asked)
        )


class _Tail:
    """Copies a stream to another and keeps its end."""

    def __init__(self, source: IO[bytes], target: IO[bytes], withheld: bytes) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._copy, args=(source, target, withheld), daemon=True)
        self._thread.start()

    def text(self) -> str:
        """The end of the stream, once it has ended."""
        self._thread.join(timeout=5)  # a grandchild may hold the pipe open
        return self._kept.decode(errors="replace")

    def _copy(self, source: IO[bytes], target: IO[bytes], withheld: bytes) -> None:
        while data := os.read(source.fileno(), 65536):  # the CLI writes a message at once
            if not withheld or withheld not in data:
                target.write(data)
                target.flush()
            self._kept = (self._kept + data)[-KEPT_CHARACTERS:]


@contextmanager
def _passing_on_signals(child: subprocess.Popen[Any]) -> Generator[list[int]]:
    """While the child runs: Ctrl-C is its own business, as it is in our process group; what is sent to us alone is sent on.

    Yields the signals that came. Outside the main thread nothing is changed.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    def send_on(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        child.send_signal(signal.SIGTERM)

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {signal.SIGINT: note}
    handlers |= dict.fromkeys(_FORWARDED, send_on)
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _dying_with_parent(argv: Sequence[str]) -> list[str]:
    """The command so that it gets SIGTERM when we are killed. Where `setpriv` (util-linux) is missing, a killed parent leaves its child."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [*([setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []), *argv]


def _code(code: int) -> int:
    return 130 if code < 0 else code
