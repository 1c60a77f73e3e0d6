"""The HTTP server of the dashboard: every answer has the headers, and no client is served for long."""

from __future__ import annotations

import asyncio

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; "
    "style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
CONNECTION_SECONDS = 30.0
"""For one request and its answer, however slowly the client sends and reads."""
MOST_CONNECTIONS = 64


class LimitedProtocol(H11Protocol):
    """Cuts off clients that are too slow, or too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self.loop.call_later(CONNECTION_SECONDS if len(self.connections) <= MOST_CONNECTIONS else 0, transport.abort)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets no answer: uvicorn's would lack the headers."""
        del msg
        self.transport.abort()


def build_server(app: ASGIApp) -> uvicorn.Server:
    """A server for sockets that listen already."""
    headers = list(HEADERS.items())
    config = uvicorn.Config(app, http=LimitedProtocol, ws="none", lifespan="off", log_level="error", headers=headers)
    return uvicorn.Server(config)
