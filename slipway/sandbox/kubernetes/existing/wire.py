"""One HTTP/1.1 connection, seen from either end: h11 over asyncio's streams, with a time limit on every step."""

from __future__ import annotations

import asyncio
import contextlib
import time

import h11

from slipway.sandbox.kubernetes.existing.refusal import Refusal

Event = h11.Event | type[h11.PAUSED]
Role = type[h11.CLIENT] | type[h11.SERVER]

CHUNK_BYTES = 65536
MAXIMUM_HEAD_BYTES = 65536
MAXIMUM_EARLY_BYTES = 1 << 20
"""What a client may send ahead of an answer. More is no client of Kubernetes."""
SEND_SECONDS = 60.0
"""How long the other end may refuse to take a piece."""
CLOSE_SECONDS = 2.0
REUSE_SECONDS = 30.0
"""A connection idle for longer is not used again: API servers close theirs after 90 s, without a word."""


class GoneError(Exception):
    """The other end closed the connection."""


class Wire:
    """One connection."""

    def __init__(self, role: Role, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=MAXIMUM_HEAD_BYTES)
        self._reader = reader
        self._writer = writer
        self._used = time.monotonic()

    async def next_event(self, timeout_seconds: float | None) -> Event:
        """The next event; raises TimeoutError, GoneError, or h11's RemoteProtocolError."""
        while True:
            event = self.http.next_event()
            if event is not h11.NEED_DATA:
                return event  # pyright: ignore[reportReturnType]
            if self.http.our_role is h11.SERVER and self.http.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            async with asyncio.timeout(timeout_seconds):
                self.http.receive_data(await self._reader.read(CHUNK_BYTES))

    async def send(self, event: h11.Event) -> None:
        """Send one event; raises TimeoutError when the other end takes nothing, OSError when it is gone."""
        await self.send_raw(self.http.send(event) or b"")

    async def send_raw(self, content: bytes) -> None:
        """Send bytes past HTTP, after the protocol was switched."""
        if not content:
            return
        self._used = time.monotonic()
        self._writer.write(content)
        async with asyncio.timeout(SEND_SECONDS):
            await self._writer.drain()

    async def receive_raw(self) -> bytes:
        """Bytes past HTTP; empty when the other end closed."""
        return await self._reader.read(CHUNK_BYTES)

    async def wait_gone(self) -> None:
        """Return never, but raise GoneError when the other end closes. What it sends meanwhile waits for its turn."""
        early = 0
        while True:
            content = await self._reader.read(CHUNK_BYTES)
            early += len(content)
            if not content or early > MAXIMUM_EARLY_BYTES:
                raise GoneError
            self.http.receive_data(content)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer a request with a Status, and close after it."""
        body = refusal.status()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        await self.send(h11.Response(status_code=refusal.code, headers=headers, reason=refusal.reason.encode()))
        await self.send(h11.Data(data=body))
        await self.send(h11.EndOfMessage())

    def is_usable(self) -> bool:
        """Whether another request may be sent on it."""
        fresh = time.monotonic() - self._used < REUSE_SECONDS
        return fresh and self.http.our_state is h11.IDLE and not self._reader.at_eof()

    def next_cycle(self) -> bool:
        """Make ready for another request; False when this connection can take none."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        self._used = time.monotonic()
        return True

    async def close(self) -> None:
        """Close it; never raises."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._writer.wait_closed()
