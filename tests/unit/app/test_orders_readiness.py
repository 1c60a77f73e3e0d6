"""When a pod gives up its traffic for its database's sake."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import OperationalError

from orders.readiness import ANSWER_TIMEOUT_SECONDS, ASKED_EVERY_SECONDS, GRACE_SECONDS, Readiness


class Pinged:
    """A database, and the clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.down = False
        self.asked = 0

    async def ping(self) -> None:
        self.asked += 1
        if self.down:
            raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    def ready(self) -> Readiness:
        return Readiness(self.ping, lambda: self.now)


def test_not_ready_until_the_database_has_answered_once() -> None:
    async def story() -> None:
        database = Pinged()
        ready = database.ready()
        database.down = True
        assert not await ready()
        database.down = False
        assert await ready()  # at once: the last answer was a failure, so it is asked again

    asyncio.run(story())


def test_failover_takes_no_pod_out_and_a_pod_that_alone_cannot_reach_it_leaves_and_comes_back() -> None:
    async def story() -> None:
        database = Pinged()
        ready = database.ready()
        assert await ready()
        database.down = True
        database.now += GRACE_SECONDS - 1
        assert await ready()
        database.now += 1
        assert not await ready()
        database.down = False
        assert await ready()

    asyncio.run(story())


def test_database_is_not_asked_at_each_question() -> None:
    async def story() -> None:
        database = Pinged()
        ready = database.ready()
        for _ in range(10):
            assert await ready()
            database.now += ASKED_EVERY_SECONDS / 10
        assert database.asked == 1
        assert await ready()
        assert database.asked == 2

    asyncio.run(story())


def test_database_that_says_nothing_is_as_one_that_is_down() -> None:
    async def story() -> None:
        async def silence() -> None:
            await asyncio.sleep(3600)

        async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS * 3):
            assert not await Readiness(silence)()

    asyncio.run(story())
