"""Leaving without losing a request: answer, say "not ready", and only then close."""

import asyncio
from types import FrameType

import structlog
import uvicorn

from orders.api import Service


class DrainingServer(uvicorn.Server):
    """uvicorn, but the first SIGTERM starts a drain instead of closing the listener at once."""

    def __init__(self, config: uvicorn.Config, service: Service, drain_seconds: float) -> None:
        super().__init__(config)
        self._service = service
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Go on serving for the drain time; a second signal ends it at once."""
        if self._service.draining:
            super().handle_exit(sig, frame)
            return
        self._service.draining = True
        structlog.get_logger().info("draining", seconds=self._drain_seconds)
        asyncio.get_running_loop().call_later(self._drain_seconds, super().handle_exit, sig, frame)
