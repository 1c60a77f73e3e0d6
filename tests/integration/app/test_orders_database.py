"""The orders service on PostgreSQL when its connections are lost: nothing fails, and nothing is stored twice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from orders.model import NewOrder
from orders.store import OrderStore
from tests.postgres_server import postgres_server
from tests.unit.app.orders_fakes import settings

TEA = NewOrder(item="tea", quantity=1)
TABLES = """
    SET lock_timeout = '10s';
    DROP TABLE IF EXISTS orders, alembic_version;
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL, quantity int NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE alembic_version (version_num text);
    INSERT INTO alembic_version VALUES ('0001')
"""
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders' AND pid <> pg_backend_pid()"
SECONDS = 60
"""For one test: a lock that is never given must not hang it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with postgres_server(tmp_path_factory.mktemp("postgres"), "shop", "secret") as port:
        yield port


class Database:
    """What the service's user could see of the server, and the user's connections."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ask(TABLES)

    def ask(self, query: str) -> list[tuple[object, ...]]:
        address = f"host=127.0.0.1 port={self.port} dbname=orders user=orders password=secret connect_timeout=5"
        with psycopg.connect(address, autocommit=True, options="-c statement_timeout=15000") as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def stored(self) -> int:
        return int(str(self.ask("SELECT count(*) FROM orders")[0][0]))


@pytest.fixture
def database(server: int) -> Database:
    return Database(server)


def url(port: int) -> URL:
    place = {"database_host": "127.0.0.1", "database_port": port, "database_user": "orders"}
    # In clear, since the proxy looks for words in what is sent.
    return settings(**place, database_password="secret").database_url.update_query_dict({"sslmode": "disable"})


def run(port: int, story: Callable[[OrderStore], Awaitable[None]], *, patience_seconds: float = 20) -> None:
    async def within() -> None:
        store = OrderStore(url(port), 3, patience_seconds=patience_seconds)
        try:
            async with asyncio.timeout(SECONDS):
                await story(store)
        finally:
            await store.close()

    asyncio.run(within())


@asynccontextmanager
async def proxy(port: int, cut: Callable[[bytes], bool]) -> AsyncGenerator[int]:
    """A port that leads to the server; where `cut` says so, what was sent arrives and its answer does not."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(forward(answers, writer))
        try:
            while sent := await reader.read(65536):
                lost = cut(sent)
                if lost:
                    back.cancel()
                    await asyncio.wait([back])
                requests.write(sent)
                await requests.drain()
                if lost:
                    await answers.read(1)  # the server has done it
                    break
        finally:
            back.cancel()
            await asyncio.wait([back])
            for each in (writer, requests):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while some := await reader.read(65536):
            writer.write(some)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_orders_are_stored_once_while_every_connection_is_cut_again_and_again(database: Database) -> None:
    async def story(store: OrderStore) -> None:
        async def cut() -> None:
            for _ in range(10):
                await asyncio.sleep(0.2)
                await asyncio.to_thread(database.ask, KILL)

        async def order() -> list[int]:
            return [(await store.add(TEA)).id for _ in range(60) if await store.latest(1) is not None]

        cutting = asyncio.create_task(cut())
        numbers = [number for some in await asyncio.gather(*(order() for _ in range(5))) for number in some]
        await cutting
        assert len(set(numbers)) == len(numbers) == 300

    run(database.port, story)
    assert database.stored() == 300


@pytest.mark.parametrize(("word", "why"), [(b"COMMIT", "the answer"), (b"INSERT", "the row")])
def test_order_whose_answer_is_lost_is_stored_once(database: Database, word: bytes, why: str) -> None:
    async def story() -> None:
        cuts = 0

        def cut(sent: bytes) -> bool:
            nonlocal cuts
            cuts += word in sent
            return word in sent and cuts == 1

        async with asyncio.timeout(SECONDS), proxy(database.port, cut) as port:
            store = OrderStore(url(port), 3, patience_seconds=20)
            order = await store.add(TEA)
            assert cuts >= 1, f"{why} was never lost"
            assert await store.get(order.id) == order
            await store.close()

    asyncio.run(story())
    assert database.stored() == 1


def test_connection_that_is_not_to_be_had_for_a_while_is_waited_for(database: Database) -> None:
    async def story() -> None:
        refused = asyncio.Event()
        back = asyncio.Event()

        def cut(_: bytes) -> bool:
            refused.set()
            return not back.is_set()

        async with asyncio.timeout(SECONDS), proxy(database.port, cut) as port:
            store = OrderStore(url(port), 3, patience_seconds=20)
            reading = asyncio.create_task(store.latest(1))
            await refused.wait()
            back.set()
            assert await reading == []
            await store.close()

    asyncio.run(story())


def test_what_will_not_pass_is_told_at_once_and_what_does_not_pass_in_time_too(database: Database) -> None:
    async def story(store: OrderStore) -> None:
        started = asyncio.get_running_loop().time()
        with pytest.raises(OperationalError):
            await store.ping()
        with pytest.raises(OperationalError):
            await store.latest(1)
        assert asyncio.get_running_loop().time() - started < 15

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run(nobody.getsockname()[1], story, patience_seconds=1)
