"""Ctrl-C and SIGTERM during an operation: the first asks it to end, the second ends it at once.

An exception raised in the middle of the main thread can get lost in a callback, or tear apart what is being recorded. So the first signal
only lets nothing new start and has the providers end their waits; what runs is finished and recorded, and the operation ends by itself.

Python runs a signal's handler when the main thread comes back to the interpreter. A signal that arrives just before that thread begins to
wait, for the program's loop or for a worker, would be handled when the wait is over, which may be never. So a thread reads the pipe that
Python writes to as soon as the signal arrives, whatever the main thread does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)

GRACE_SECONDS = 5.0
"""What the second signal leaves for closing the state and unlocking the stack. Then the process ends, as after `kill -9`."""
REPEAT_SECONDS = 0.1
"""Between the attempts to get the main thread out of a wait."""
CANCEL_SECONDS = 1.0
"""How long the end of an operation waits until it is known that it was interrupted."""


@contextlib.contextmanager
def interruptible(cancel: Callable[[], None]) -> Generator[None]:
    """Call `cancel`, on a thread of its own, at the first signal. Only in the main thread, and only where nobody else handles it.

    The second raises KeyboardInterrupt in the main thread; when that does not end the block in time, it ends the process.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    defaults = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) in _DEFAULTS}
    if not in_main_thread or not defaults:
        yield
        return
    watch = _Watch(cancel, frozenset(defaults))
    for number in defaults:
        signal.signal(number, watch.handle)
    try:
        yield
    finally:
        watch.end()
        for number, handler in defaults.items():
            signal.signal(number, handler)
        if watch.missed:
            signal.raise_signal(watch.missed)


class _Watch:
    """The thread that learns of signals at once."""

    def __init__(self, cancel: Callable[[], None], numbers: frozenset[int]) -> None:
        self.missed = 0
        """A signal that came too late for this watch: it is for whoever handles signals next."""
        self._numbers = numbers
        self._canceller = threading.Thread(target=cancel, name="interrupt", daemon=True)
        self._is_second = self._raises = False
        self._over = threading.Event()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._run, name="signals", daemon=True)
        self._thread.start()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Run by Python in the main thread, some time after the signal."""
        del frame
        if self._over.is_set():
            self.missed = 0 if self._is_second else number
        elif self._raises:
            self._raises = False
            raise KeyboardInterrupt

    def end(self) -> None:
        """Stop watching."""
        self._over.set()
        signal.set_wakeup_fd(self._before)
        os.close(self._writer)
        self._thread.join()
        os.close(self._reader)
        if self._canceller.ident is not None:
            self._canceller.join(CANCEL_SECONDS)

    def _run(self) -> None:
        while numbers := os.read(self._reader, 1):
            (number,) = numbers
            if number not in self._numbers:
                self._pass_on(numbers)
            elif self._canceller.ident is None:
                # Not here: a provider may take its time, and the second signal must be heard meanwhile.
                self._canceller.start()
            else:
                self._end_at_once(number)
                return

    def _pass_on(self, numbers: bytes) -> None:
        """The process has one such pipe: what is not ours is for whoever had it before."""
        if self._before != -1:
            with contextlib.suppress(OSError):
                os.write(self._before, numbers)

    def _end_at_once(self, number: int) -> None:
        self._is_second = self._raises = True
        deadline = time.monotonic() + GRACE_SECONDS
        while not self._over.wait(REPEAT_SECONDS):
            if time.monotonic() > deadline:
                os._exit(128 + number)
            main = threading.main_thread().ident
            if self._raises and main is not None:
                signal.pthread_kill(main, number)
