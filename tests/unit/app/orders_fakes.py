"""A store in memory, and requests that reach the service without a socket."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy.exc import OperationalError

from orders.api import Service
from orders.model import NewOrder, Order
from orders.settings import Settings

MADE_AT = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


class MemoryStore:
    """What OrderStore does, without a database; `down` makes every call fail as a lost connection does."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.down = False
        self.closed = False

    async def add(self, order: NewOrder) -> Order:
        self._connect()
        stored = Order(id=len(self.orders) + 1, created_at=MADE_AT, **order.model_dump())
        self.orders.append(stored)
        return stored

    async def latest(self, limit: int) -> list[Order]:
        self._connect()
        return self.orders[::-1][:limit]

    async def get(self, order_id: int) -> Order | None:
        self._connect()
        return next((order for order in self.orders if order.id == order_id), None)

    async def schema(self) -> str:
        self._connect()
        return "0001"

    async def ping(self) -> None:
        self._connect()

    async def close(self) -> None:
        self.closed = True

    def _connect(self) -> None:
        if self.down:
            raise OperationalError("SELECT 1", {}, Exception("connection refused by 10.0.0.7"))


def settings(**changes: Any) -> Settings:
    base = {"database_host": "db", "database_name": "orders", "database_user": "u", "database_password": "p@ss/word"}
    running = {"app_colour": "blue", "app_release": "r-7", "app_version": "1.0.0", "drain_seconds": 0}
    return Settings(**{**base, **running, **changes})


class Site:
    """The service over a memory store, and answers to requests."""

    def __init__(self, **changes: Any) -> None:
        self.store = MemoryStore()
        self.service = Service(settings(**changes), self.store)
        self._application = self.service.application()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
                return await client.request(method, path, **more)

        return asyncio.run(send())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def order(self, item: str, quantity: int = 1) -> httpx.Response:
        return self.request("POST", "/orders", json={"item": item, "quantity": quantity})
