"""The endpoint of an EKS cluster that stands on an existing one: it knows AWS's tokens, and asks in the name of whom they stand for.

Client and API server are joined connection by connection, so that watches stream and sessions (exec, attach, port-forward) are carried
whatever protocol they switch to.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import urlsplit

import h11
import structlog

from slipway.sandbox.kubernetes.existing.headers import (
    IMPERSONATION,
    answer_headers,
    bearer_token,
    is_long_running,
    request_headers,
)
from slipway.sandbox.kubernetes.existing.refusal import Refusal, unavailable
from slipway.sandbox.kubernetes.existing.review import TokenReviewer
from slipway.sandbox.kubernetes.existing.upstream import Upstream
from slipway.sandbox.kubernetes.existing.wire import GoneError, Wire

IDLE_SECONDS = 300.0
"""How long a client's connection may wait for its next request."""
BODY_SECONDS = 60.0
"""Between two pieces of a request's body."""
ANSWER_SECONDS = 90.0
"""Until an answer begins, and between its pieces unless it is a watch. Above the 60 s after which API servers give up themselves."""
SWITCHING = 101

log = structlog.get_logger(__name__)


class Proxy:
    """Serves the connections of one endpoint."""

    def __init__(self, upstream: Upstream, reviewer: TokenReviewer) -> None:
        self._upstream = upstream
        self._reviewer = reviewer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, request by request; never raises."""
        client = Wire(h11.SERVER, reader, writer)
        link: Wire | None = None
        try:
            while True:
                request = await client.next_event(IDLE_SECONDS)
                if not isinstance(request, h11.Request):
                    return
                link = await self._answer(client, request, link)
                if not client.next_cycle():
                    return
        except h11.RemoteProtocolError as error:
            with contextlib.suppress(OSError, TimeoutError, h11.LocalProtocolError):
                await client.refuse(Refusal(error.error_status_hint, "BadRequest", str(error)))
        except (GoneError, TimeoutError, OSError):
            # Clients come and go; a half-given answer can only be ended by closing.
            return
        except Exception:
            log.exception("a connection ended by a fault of the endpoint")
        finally:
            for wire in (client, link):
                if wire is not None:
                    await wire.close()

    async def _answer(self, client: Wire, request: h11.Request, link: Wire | None) -> Wire | None:
        """Have one request answered; returns the connection to the API server for the next one."""
        try:
            link = await self._forward(request, link)
            link = await self._relay(client, link, is_long_running(request.target.decode("latin-1")))
        except Refusal as refusal:
            # Without a token it is mostly the sandbox itself, asking whether the endpoint serves.
            if bearer_token(request.headers):
                log.warning("refused", method=request.method.decode(), code=refusal.code, why=refusal.message)
            await _discard_body(client)
            await client.refuse(refusal)
        return link

    async def _forward(self, request: h11.Request, link: Wire | None) -> Wire:
        """Send the request's head to the API server, in the name of the token's user."""
        user = await self._reviewer.user(bearer_token(request.headers))
        if request.method == b"CONNECT" or not request.target.startswith(b"/"):
            raise Refusal(400, "BadRequest", "this is an API server, not a proxy for other servers")
        if any(name.startswith(IMPERSONATION) for name, _ in request.headers):
            # Left out in silence, the request would run with the caller's own rights, mostly greater ones.
            raise Refusal(403, "Forbidden", "the endpoint of an existing cluster takes no impersonation (--as)")
        access = await self._upstream.access()
        address = urlsplit(access.server)
        headers = request_headers(request.headers, host=address.netloc, credentials=access.headers, user=user)
        target = address.path.rstrip("/").encode() + request.target
        try:
            forwarded = h11.Request(method=request.method, target=target, headers=headers)
        except h11.LocalProtocolError as error:
            raise Refusal(400, "BadRequest", f"the request cannot be passed on: {error}") from error
        if link is not None and not link.is_usable():
            await link.close()
            link = None
        link = link or await self._upstream.connect()
        try:
            await link.send(forwarded)
        except (OSError, TimeoutError) as error:
            await link.close()
            raise unavailable(f"the existing cluster's API server closed the connection: {error}") from error
        return link

    async def _relay(self, client: Wire, link: Wire, long_running: bool) -> Wire | None:
        """Carry the body there and the answer back; ends early when the client goes."""
        sending = asyncio.create_task(_send_body(client, link))
        answering = asyncio.create_task(_copy_answer(link, client, None if long_running else ANSWER_SECONDS))
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                sending.result()  # raises: it never ends otherwise
            switched = answering.result()
        except BaseException:
            await link.close()
            raise
        finally:
            await _cancel(sending, answering)
        if switched:
            await _tunnel(client, link)
        if not switched and link.next_cycle():
            return link
        await link.close()
        return None


async def _send_body(client: Wire, link: Wire) -> None:
    """Pass the request's body on, then watch whether the client is still there."""
    open_link = True
    while isinstance(event := await client.next_event(BODY_SECONDS), h11.Data | h11.EndOfMessage):
        if open_link:
            try:
                await link.send(event)
            except (OSError, h11.LocalProtocolError):
                # The API server has answered and closed already: what it said comes back on the other way.
                open_link = False
        if isinstance(event, h11.EndOfMessage):
            break
    await client.wait_gone()


async def _copy_answer(link: Wire, client: Wire, timeout_seconds: float | None) -> bool:
    """Pass the answer back piece by piece; True when it switches to another protocol. Raises Refusal while nothing was passed on."""
    try:
        head = await link.next_event(ANSWER_SECONDS)
        while isinstance(head, h11.InformationalResponse) and head.status_code != SWITCHING:
            head = await link.next_event(ANSWER_SECONDS)
    except TimeoutError as error:
        why = f"the existing cluster's API server did not answer within {ANSWER_SECONDS:.0f} s"
        raise Refusal(504, "Timeout", why) from error
    except (OSError, h11.RemoteProtocolError) as error:
        raise unavailable(f"the existing cluster's API server broke off: {error}") from error
    if isinstance(head, h11.InformationalResponse):
        await client.send(head)
        return True
    if not isinstance(head, h11.Response):
        raise unavailable("the existing cluster's API server closed the connection without an answer")
    await client.send(
        h11.Response(status_code=head.status_code, headers=answer_headers(head.headers), reason=head.reason)
    )
    while isinstance(event := await link.next_event(timeout_seconds), h11.Data | h11.EndOfMessage):
        await client.send(event)
        if isinstance(event, h11.EndOfMessage):
            return False
    raise GoneError


async def _tunnel(client: Wire, link: Wire) -> None:
    """Carry bytes both ways until either end closes."""
    pumps = {
        asyncio.create_task(_pump(client, link)),
        asyncio.create_task(_pump(link, client)),
    }
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(*pumps)


async def _pump(source: Wire, target: Wire) -> None:
    early, closed = source.http.trailing_data
    await target.send_raw(early)
    while not closed and (content := await source.receive_raw()):
        await target.send_raw(content)


async def _discard_body(client: Wire) -> None:
    """Read what the client still sends: closing on unread data would take the answer with it."""
    if client.http.they_are_waiting_for_100_continue:
        return
    while isinstance(await client.next_event(BODY_SECONDS), h11.Data):
        pass


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
