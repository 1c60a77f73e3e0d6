"""The HTTP API."""

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from orders.metrics import RequestMetrics
from orders.model import NewOrder, Order
from orders.page import HEADERS, render_page
from orders.readiness import Readiness
from orders.settings import Settings

LOG = structlog.get_logger()
PAGE_SIZE = 20
MAX_BODY_BYTES = 16 * 1024
"""An order of 200 characters, each escaped, is a tenth of it."""


class OrderIdConvertor(IntegerConvertor):
    """As many digits as are sure to fit PostgreSQL's bigint. Anything else is the address of nothing."""

    regex = "[0-9]{1,18}"


register_url_convertor("order_id", OrderIdConvertor())


class Store(Protocol):
    """Where orders are kept."""

    async def add(self, order: NewOrder) -> Order: ...
    async def latest(self, limit: int) -> list[Order]: ...
    async def get(self, order_id: int) -> Order | None: ...
    async def schema(self) -> str: ...
    async def ping(self) -> None: ...
    async def close(self) -> None: ...


class Service:
    """The routes, their store, and whether the service is on its way out."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._ready = Readiness(store.ping)
        self.draining = False

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/", self.page),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/version", self.version),
            Route("/orders", self.list_orders, methods=["GET"]),
            Route("/orders", self.add_order, methods=["POST"]),
            Route("/orders/{order_id:order_id}", self.get_order),
        ]
        handlers = {SQLAlchemyError: self.on_database_error, ClientDisconnect: self.on_disconnect}
        return Starlette(
            routes=routes, middleware=[Middleware(RequestMetrics)], lifespan=self._lifespan, exception_handlers=handlers
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        LOG.info("started")
        yield
        await self._store.close()
        LOG.info("stopped")

    async def page(self, _: Request) -> Response:
        """For people: who answers, and the newest orders."""
        try:
            orders, schema, status = await self._store.latest(PAGE_SIZE), await self._store.schema(), 200
        except SQLAlchemyError as error:
            LOG.warning("database not reachable", error=type(error).__name__)
            orders, schema, status = None, "unknown", 503
        return HTMLResponse(render_page(self._settings, schema=schema, orders=orders), status, HEADERS)

    async def healthz(self, _: Request) -> Response:
        """Alive: says nothing of the database, or its outage would restart every pod."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        """Ready: see Readiness; never while the service shuts down."""
        if self.draining:
            return JSONResponse({"status": "draining"}, 503)
        if await self._ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "database not reachable"}, 503)

    async def version(self, _: Request) -> Response:
        """Who answers: version, release, colour, and the schema it sees."""
        settings = self._settings
        schema = await self._store.schema()
        return JSONResponse(
            {
                "version": settings.app_version,
                "release": settings.app_release,
                "colour": settings.app_colour,
                "schema": schema,
            }
        )

    async def list_orders(self, _: Request) -> Response:
        """The newest orders."""
        return JSONResponse([order.model_dump(mode="json") for order in await self._store.latest(PAGE_SIZE)])

    async def add_order(self, request: Request) -> Response:
        """Store one order; 422 names each field that is wrong."""
        try:
            order = NewOrder.model_validate_json(await _read_body(request))
        except ValidationError as error:
            return JSONResponse(
                {"errors": error.errors(include_url=False, include_context=False, include_input=False)}, 422
            )
        return JSONResponse((await self._store.add(order)).model_dump(mode="json"), 201)

    async def get_order(self, request: Request) -> Response:
        """One order."""
        order = await self._store.get(request.path_params["order_id"])
        return JSONResponse(order.model_dump(mode="json")) if order else JSONResponse({"error": "no such order"}, 404)

    async def on_database_error(self, request: Request, error: Exception) -> Response:
        """A database failure is the server's fault and tells the client nothing of the database."""
        LOG.error("database error", path=request.url.path, error=type(error).__name__)
        return JSONResponse({"error": "the database did not answer"}, 503)

    async def on_disconnect(self, _: Request, __: Exception) -> Response:
        """Sent to no one: a client that leaves in the middle must not count as a failure of ours."""
        return Response(status_code=400)


async def _read_body(request: Request) -> bytes:
    """The body, or 413 as soon as it is too large, whatever its headers say."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413)
    return body
