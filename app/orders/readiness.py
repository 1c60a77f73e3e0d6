"""Whether this pod should have traffic, as far as the database says."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

LOG = structlog.get_logger()
ASKED_EVERY_SECONDS = 5
"""Load balancers and Kubernetes ask more often, each for itself."""
ANSWER_TIMEOUT_SECONDS = 2
"""Less than the time that those who ask allow (ALB: 3 s)."""
GRACE_SECONDS = 60
"""A failover is shorter, and meets every pod alike: to take them all out would turn late answers into errors."""


class Readiness:
    """Ready once the database has answered, and until it has not for a minute: then it may be this pod that cannot reach it."""

    def __init__(self, ping: Callable[[], Awaitable[None]], clock: Callable[[], float] = time.monotonic) -> None:
        self._ping = ping
        self._clock = clock
        self._asked = self._answered = float("-inf")

    async def __call__(self) -> bool:
        """Ask the database, unless it was asked a moment ago."""
        if self._clock() - self._asked >= ASKED_EVERY_SECONDS or self._answered < self._asked:
            await self._ask()
        return self._clock() - self._answered < GRACE_SECONDS

    async def _ask(self) -> None:
        self._asked = self._clock()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                await self._ping()
        except (SQLAlchemyError, TimeoutError) as error:
            LOG.warning("database not reachable", error=type(error).__name__)
        else:
            self._answered = self._clock()
