"""Connections to the existing API server, with the kubeconfig's own credentials."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import h11

from slipway.errors import UsageError
from slipway.sandbox.kubernetes.existing.refusal import unavailable
from slipway.sandbox.kubernetes.existing.wire import Wire
from slipway.sandbox.kubernetes.kubeconfig import load_credentials

CONNECT_SECONDS = 10
CREDENTIALS_SECONDS = 60.0
"""Read again this often: files are renewed, and a credential plugin's tokens end."""
KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
"""A watch has no time limit: only this tells that its other end was unplugged."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to reach and convince the API server."""

    server: str
    tls: ssl.SSLContext
    headers: Mapping[str, str]


class Upstream:
    """The API server behind the endpoint."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._read_at = 0.0
        self._access: Access | None = None
        self._reading = asyncio.Lock()

    async def access(self) -> Access:
        """Where the server is and what convinces it; raises Refusal."""
        async with self._reading:
            if self._access is None or time.monotonic() - self._read_at > CREDENTIALS_SECONDS:
                try:
                    self._access = await asyncio.to_thread(self._load)
                except (UsageError, OSError) as error:
                    raise unavailable(f"the existing cluster's kubeconfig cannot be used: {error}") from error
                self._read_at = time.monotonic()
            return self._access

    async def connect(self) -> Wire:
        """A new connection; raises Refusal."""
        found = await self.access()
        address = urlsplit(found.server)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(address.hostname, address.port or 443, ssl=found.tls)
        except (OSError, TimeoutError) as error:
            reason = str(error) or "it took too long"
            raise unavailable(f"the existing cluster's API server {found.server} does not answer: {reason}") from error
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        return Wire(h11.CLIENT, reader, writer)

    def _load(self) -> Access:
        found = load_credentials(self._kubeconfig)
        return Access(server=found.server, tls=found.tls_context(), headers=found.headers())
