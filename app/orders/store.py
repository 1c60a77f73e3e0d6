"""Orders in PostgreSQL. A lost connection is met here: what was asked is asked again, and an order is stored once."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.ext.asyncio import create_async_engine
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from orders.model import NewOrder, Order
from orders.tokens import log_in_by_tokens

Result = TypeVar("Result")

LOG = structlog.get_logger()
CONNECT_TIMEOUT_SECONDS = 3
POOL_TIMEOUT_SECONDS = 3
STATEMENT_TIMEOUT_MS = 3000
UNANSWERED_TIMEOUT_MS = 5000
"""A server that went without a word has not even taken what was sent: the connection is lost."""
PATIENCE_SECONDS = 45
"""For one request. Less than a load balancer waits for an answer (ALB: 60 s); a cluster's failover takes under 35 s."""
LONGEST_PAUSE_SECONDS = 1


class UndecidedError(SQLAlchemyError):
    """The server has not yet noticed that the connection is lost, and may still store what was sent over it."""


class OrderStore:
    """Reads and writes orders; one pool per process."""

    def __init__(
        self,
        database_url: URL,
        connections: int,
        *,
        make_token: Callable[[], str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`make_token` makes what each new connection logs in with; None: the password of `database_url`."""
        self._patience_seconds = patience_seconds
        arguments = {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": UNANSWERED_TIMEOUT_MS,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
        }
        # No more than `connections`, ever: while a release goes up, the pods of both colours share the database's slots.
        # One of them is readiness's own, or a busy pool would look like a database that is away.
        self._engine, self._apart = (
            create_async_engine(
                database_url,
                pool_size=size,
                max_overflow=0,
                pool_timeout=POOL_TIMEOUT_SECONDS,
                pool_pre_ping=True,  # a connection that was cut while idle is replaced before a request meets it
                connect_args=arguments,
            )
            for size in (connections - 1, 1)
        )
        if make_token:
            for engine in (self._engine, self._apart):
                log_in_by_tokens(engine.sync_engine, make_token)

    async def add(self, order: NewOrder) -> Order:
        """Store a new order: once, though a connection may be lost between the commit and the word of it."""
        # Columns are named one by one: an expand migration may have added some that this version does not know.
        statement = text(
            "INSERT INTO orders (item, quantity) VALUES (:item, :quantity) "
            "RETURNING CAST(pg_current_xact_id() AS text) AS transaction, id, item, quantity, created_at"
        )
        unconfirmed: dict[str, Any] = {}

        async def store() -> Order:
            nonlocal unconfirmed
            if unconfirmed and await self._committed(unconfirmed["transaction"]):
                return _order(unconfirmed)
            unconfirmed = {}
            async with self._engine.connect() as connection:
                row = dict((await connection.execute(statement, order.model_dump())).mappings().one())
                unconfirmed = row
                await connection.commit()
                return _order(row)

        return await self._patiently(store)

    async def latest(self, limit: int) -> list[Order]:
        """The newest orders first."""
        statement = text("SELECT id, item, quantity, created_at FROM orders ORDER BY id DESC LIMIT :limit")
        return [_order(row) for row in await self._rows(statement, limit=limit)]

    async def get(self, order_id: int) -> Order | None:
        """One order, or None."""
        statement = text("SELECT id, item, quantity, created_at FROM orders WHERE id = :order_id")
        rows = await self._rows(statement, order_id=order_id)
        return _order(rows[0]) if rows else None

    async def schema(self) -> str:
        """The schema's revision, as Alembic wrote it."""
        rows = await self._rows(text("SELECT version_num FROM alembic_version"))
        return rows[0]["version_num"] if rows else "none"

    async def ping(self) -> None:
        """Ask the schema's revision over a connection of its own, once; raises SQLAlchemyError where the database does not answer.

        The connection is kept: who is logged in needs no credentials, and their endpoint may be away for longer than the grace lasts.
        """
        async with self._apart.connect() as connection:
            await connection.execute(text("SELECT version_num FROM alembic_version"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()
        await self._apart.dispose()

    async def _rows(self, statement: Any, **parameters: Any) -> list[dict[str, Any]]:
        return await self._patiently(self._once, statement, **parameters)

    async def _committed(self, transaction: str) -> bool:
        rows = await self._once(text("SELECT pg_xact_status(CAST(:id AS xid8)) AS status"), id=transaction)
        if rows[0]["status"] == "in progress":
            raise UndecidedError("the database has not ended a transaction whose connection is lost")
        return rows[0]["status"] == "committed"

    async def _once(self, statement: Any, **parameters: Any) -> list[dict[str, Any]]:
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(statement, parameters)).mappings()]

    async def _patiently(self, work: Callable[..., Awaitable[Result]], *args: Any, **kwargs: Any) -> Result:
        retrying = AsyncRetrying(
            stop=stop_after_delay(self._patience_seconds),
            wait=wait_random_exponential(multiplier=0.05, max=LONGEST_PAUSE_SECONDS),
            retry=retry_if_exception(_may_pass),
            before_sleep=_tell,
            reraise=True,
        )
        return await retrying(work, *args, **kwargs)


def _order(row: dict[str, Any]) -> Order:
    return Order.model_validate({name: value for name, value in row.items() if name != "transaction"})


def _may_pass(error: BaseException) -> bool:
    """Whether the same may succeed over another connection, or a moment later. Nothing of it was stored, or `add` finds out."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, NoConnectionError | UndecidedError)


def _tell(attempt: RetryCallState) -> None:
    error = attempt.outcome.exception() if attempt.outcome else None
    cause = getattr(error, "orig", None) or error
    LOG.warning(
        "asking the database again",
        attempt=attempt.attempt_number,
        error=type(cause).__name__,
        sqlstate=getattr(cause, "sqlstate", None),
    )
