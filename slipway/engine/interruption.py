"""Ctrl-C and SIGTERM during an operation: the first asks it to end, the second ends it at once.

An exception raised in the middle of the main thread can get lost in a callback, or tear apart what is being recorded. So the first signal
only lets nothing new start and has the providers end their waits; what runs is finished and recorded, and the operation ends by itself.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


@contextlib.contextmanager
def interruptible(cancel: Callable[[], None]) -> Generator[None]:
    """Call `cancel`, on a thread of its own, at the first signal. Only in the main thread, and only where nobody else handles it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    replaced = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) in _DEFAULTS}

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        for each, handler in replaced.items():
            signal.signal(each, handler)
        # Not here: the main thread may hold a lock that cancelling needs.
        threading.Thread(target=cancel, name="interrupt", daemon=True).start()

    for number in replaced:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
