"""Orders in PostgreSQL."""

from typing import Any

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orders.model import NewOrder, Order

CONNECT_TIMEOUT_SECONDS = 3
POOL_TIMEOUT_SECONDS = 3
STATEMENT_TIMEOUT_MS = 3000


class OrderStore:
    """Reads and writes orders; one pool per process."""

    def __init__(self, database_url: URL, pool_size: int) -> None:
        self._engine: AsyncEngine = create_async_engine(
            database_url,
            pool_size=pool_size,
            # No more than that, ever: while a release goes up, the pods of both colours share the database's connection slots.
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            pool_pre_ping=True,  # a connection cut by a failover is replaced before a request meets it
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
            },
        )

    async def add(self, order: NewOrder) -> Order:
        """Store a new order."""
        # Columns are named one by one: an expand migration may have added some that this version does not know.
        statement = text(
            "INSERT INTO orders (item, quantity) VALUES (:item, :quantity) RETURNING id, item, quantity, created_at"
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement, order.model_dump())).mappings().one()
        return Order.model_validate(dict(row))

    async def latest(self, limit: int) -> list[Order]:
        """The newest orders first."""
        statement = text("SELECT id, item, quantity, created_at FROM orders ORDER BY id DESC LIMIT :limit")
        return [Order.model_validate(row) for row in await self._rows(statement, limit=limit)]

    async def get(self, order_id: int) -> Order | None:
        """One order, or None."""
        statement = text("SELECT id, item, quantity, created_at FROM orders WHERE id = :order_id")
        rows = await self._rows(statement, order_id=order_id)
        return Order.model_validate(rows[0]) if rows else None

    async def schema(self) -> str:
        """The schema's revision, as Alembic wrote it."""
        rows = await self._rows(text("SELECT version_num FROM alembic_version"))
        return rows[0]["version_num"] if rows else "none"

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _rows(self, statement: Any, **parameters: Any) -> list[dict[str, Any]]:
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(statement, parameters)).mappings()]
