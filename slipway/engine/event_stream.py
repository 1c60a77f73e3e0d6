"""Carries events from the threads of an operation to one listener, in order, on a thread of its own.

A slow terminal must not hold a lock of the deployment, and what a listener prints must not look like the program's output.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from slipway.engine.events import Event, HeartbeatEvent

HEARTBEAT_SECONDS = 5
"""After this long without an event the listener gets a heartbeat, so that it can say what is waited for."""


class EventStream:
    """Use as a context manager; leaving it waits until every event was delivered."""

    def __init__(self, listener: Callable[[Event], None] | None) -> None:
        self._listener = listener
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> EventStream:
        if self._listener is not None:
            self._thread = threading.Thread(target=self._deliver, name="events", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join()
        if self._error is not None and failure[0] is None:
            raise self._error

    def send(self, event: Event) -> None:
        """Queue an event."""
        if self._thread is not None:
            self._queue.put(event)

    def _next(self) -> Event | None:
        try:
            return self._queue.get(timeout=HEARTBEAT_SECONDS)
        except queue.Empty:
            return HeartbeatEvent()

    def _deliver(self) -> None:
        listener = self._listener
        if listener is None:
            return
        while (event := self._next()) is not None:
            if self._error is not None:
                continue  # a broken display must not stop the operation; its error is raised when everything is recorded
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - kept, and raised at the end
                self._error = error
