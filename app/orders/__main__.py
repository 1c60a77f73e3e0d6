"""Serve the API until SIGTERM, then drain: answer, say "not ready", and only then close."""

import asyncio
from types import FrameType

import structlog
import uvicorn

from orders.api import Service
from orders.logs import configure_logs
from orders.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than a load balancer's idle timeout (ALB: 60 s): it closes first and never meets a closed connection."""
SHUTDOWN_SECONDS = 20


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


def main() -> None:
    """Run the service."""
    settings = Settings()
    configure_logs(colour=settings.app_colour, release=settings.app_release, version=settings.app_version)
    service = Service(settings)
    config = uvicorn.Config(
        service.application(),
        host="0.0.0.0",
        port=settings.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    DrainingServer(config, service, settings.drain_seconds).run()


if __name__ == "__main__":
    main()
