"""What reads see while a write is not seen yet: the service's state from before it. For who holds the API's lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

Copies = dict[tuple[str, str], bytes]
"""States of one service's backends, by account and region."""


class Copier(Protocol):
    """Copies the state of a service, and shows a copy in its place."""

    def copy(self, service: str) -> Copies:
        """The state of every backend of a service."""
        ...

    def as_of(self, service: str, copies: Copies) -> AbstractContextManager[None]:
        """The service's backends are as they were, while this is open."""
        ...


@dataclass(frozen=True)
class _Unseen:
    seen_at: float
    before: Copies


class EarlierStates:
    """Of each service the writes that are not seen yet, oldest first.

    A read sees the state from before the first of them, and so nothing of other writes meanwhile, as with a replica that is behind.
    """

    def __init__(self, state: Copier, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._unseen: dict[str, list[_Unseen]] = {}

    @contextmanager
    def keeping(self, service: str, seconds: float) -> Generator[None]:
        """A write runs inside, which is seen so much later."""
        unseen, before = self._unseen, self._state.copy(service)
        yield
        unseen.setdefault(service, []).append(_Unseen(self._clock() + seconds, before))

    @contextmanager
    def seen(self, service: str) -> Generator[None]:
        """A read runs inside."""
        unseen, now = self._unseen, self._clock()
        waiting = unseen[service] = [each for each in unseen.get(service, ()) if each.seen_at > now]
        if not waiting:
            yield
            return
        with self._state.as_of(service, waiting[0].before):
            yield

    def forget(self) -> None:
        """All is seen. A new mapping, since this comes without the API's lock."""
        self._unseen = {}
