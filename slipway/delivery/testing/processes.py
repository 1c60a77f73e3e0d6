"""Several processes in one simulated world: one runs at a time, the others sleep; each can be killed or suspended at any call it makes.

Virtual time passes while all of them sleep. What a process does is repeatable: the same seed gives the same history.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from slipway.delivery.ports import Context
from slipway.delivery.testing.clock import EndlessError, ManualClock, SkewedClock

MOST_CALLS = 10_000
"""Between two sleeps of anybody."""
HANGING_SECONDS = 300.0
"""Of real time: nothing that a process does between two sleeps takes a tenth of it."""


class KilledError(BaseException):
    """Stands for kill -9: nothing catches it, and nothing is written after it."""


def _closed() -> threading.Lock:
    """What another thread opens, once each time."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Process:
    """One process, and what shall happen to it."""

    pid: int
    fuse: int | None = None
    """So many calls from now it is killed, or suspended if `nap_seconds` is set; None: never."""
    fuse_calls: frozenset[str] = frozenset()
    """Only these calls count; empty: all."""
    nap_seconds: float = 0.0
    due: float = 0.0
    call: str = ""
    """The last one it made, or is about to make."""
    dead: bool = False
    ended: bool = False
    error: BaseException | None = None
    answer: Any = None
    go: threading.Lock = field(default_factory=_closed)
    back: threading.Lock = field(default_factory=_closed)
    """Opened when it sleeps, or has ended."""


class SharedClock(ManualClock):
    """A clock for several processes. `sleep` lets the others run; outside of processes it runs all until the time has passed."""

    def __init__(self, *, most_seconds: float = math.inf) -> None:
        super().__init__(most_seconds=most_seconds)
        self._calls, self._calls_at = 0, 0.0
        self._endless = ""
        self._processes: list[Process] = []
        self._current: Process | None = None
        self._until: float | None = None

    def start(self, process: Process, work: Callable[[], Any]) -> Process:
        """A process that begins with the next sleep of whoever asked."""
        process.due = self.monotonic()

        def live() -> None:
            process.go.acquire()
            try:
                process.answer = work()
            except BaseException as error:  # noqa: BLE001 - an ending, told to whoever started it
                process.error = error
            process.ended = True
            process.back.release()

        self._processes.append(process)
        threading.Thread(target=live, daemon=True).start()
        return process

    def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        process = self._current
        if process is None:
            self.run_until(self.monotonic() + seconds)
            return
        process.due = self.monotonic() + seconds
        if self._is_next(process):
            super().sleep(process.due - self.monotonic())
        else:
            process.back.release()
            process.go.acquire()
        if process.dead:
            raise KilledError

    def _is_next(self, process: Process) -> bool:
        """Nothing else happens before the process that falls asleep goes on. Then no other thread has to be waited for."""
        first = min((each for each in self._processes if not each.ended), key=lambda each: each.due)
        in_time = self._until is None or process.due <= self._until
        return first is process and in_time and self.is_quiet(process.due - self.monotonic())

    def run_until(self, until: float | None = None) -> None:
        """Let the processes run until that time, or until all have ended."""
        while waiting := [each for each in self._processes if not each.ended]:
            process = min(waiting, key=lambda each: each.due)
            if until is not None and process.due > until:
                break
            super().sleep(max(process.due - self.monotonic(), 0.0))
            self._current, self._until = process, until
            process.go.release()
            if not process.back.acquire(timeout=HANGING_SECONDS):
                self._endless = f"neither sleeps nor calls anybody for {HANGING_SECONDS:g} s"
            self._current = None
            if isinstance(process.error, EndlessError):  # its own sleep was one too many
                raise process.error
            if self._endless:
                raise EndlessError(f"process {process.pid} {self._endless}{self.at_work()}")
        if until is not None:
            super().sleep(max(until - self.monotonic(), 0.0))

    def repeat(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """See `Clock.repeat`: what a dead or suspended process would repeat does not happen."""
        process = self._current

        def act() -> None:
            if process is None or not (process.dead or process.due > self.monotonic() + seconds * 3):
                action()

        return super().repeat(seconds, act)

    def reached(self, call: str) -> None:
        """The running process is about to make a call; it may be its last."""
        process = self._current
        self._count(call)
        if process is None:
            return
        process.call = call
        if process.dead or self._endless:
            raise KilledError
        counts = not process.fuse_calls or call in process.fuse_calls
        if process.fuse is None or call in {"move", "keep", "set_routes"} or not counts:
            return  # from the check of the fence to the call that it guards nothing can be put in between
        process.fuse -= 1
        if process.fuse < 0 and process.nap_seconds:
            process.fuse = None
            self.sleep(process.nap_seconds)
        elif process.fuse < 0:
            process.dead = True
            raise KilledError

    def _count(self, call: str) -> None:
        """Calls between two sleeps: a loop that does not sleep is seen by them."""
        if self.monotonic() != self._calls_at:
            self._calls, self._calls_at = 0, self.monotonic()
        self._calls += 1
        if self._calls > MOST_CALLS:
            self._endless = f"calls `{call}` for the {self._calls:,}th time without sleeping"
            if self._current is None:
                raise EndlessError(self._endless)

    def at_work(self) -> str:
        """See `ManualClock.at_work`."""
        left = [f"process {each.pid} after `{each.call}`" for each in self._processes if not each.ended]
        return f"; at work: {', '.join(left)}" if left else ""


class Neighbour:
    """A neighbour of a process: every call may be its last."""

    def __init__(self, inner: Any, clock: SharedClock) -> None:
        self._inner = inner
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._clock.reached(name)
            return found(*arguments, **named)

        return call


def inhabited(ctx: Context, clock: SharedClock, *, skew_seconds: float = 0.0) -> Context:
    """The context of a process that can be killed at any call to its neighbours, on a machine whose clock is ahead of the others'."""

    def connect(target: Any) -> Any:
        world = ctx.connect(target)
        return replace(
            world, **{name: Neighbour(getattr(world, name), clock) for name in ("balancer", "cluster", "probe")}
        )

    return replace(
        ctx,
        clock=SkewedClock(clock, skew_seconds),
        ledger=Neighbour(ctx.ledger, clock),
        stack=Neighbour(ctx.stack, clock),
        connect=connect,
    )
