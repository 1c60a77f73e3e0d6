"""Serve the API until SIGTERM, then drain."""

import uvicorn
from prometheus_client import start_http_server

from orders.api import Service
from orders.draining import DrainingServer
from orders.logs import configure_logs
from orders.settings import load_settings
from orders.store import OrderStore

KEEP_ALIVE_SECONDS = 75
"""Longer than a load balancer's idle timeout (ALB: 60 s): it closes first and never meets a closed connection."""
SHUTDOWN_SECONDS = 20


def main() -> None:
    """Run the service."""
    settings = load_settings()
    configure_logs(colour=settings.app_colour, release=settings.app_release, version=settings.app_version)
    store = OrderStore(settings.database_url, settings.database_connections, make_token=settings.database_tokens)
    service = Service(settings, store)
    config = uvicorn.Config(
        service.application(),
        host="0.0.0.0",  # noqa: S104 - in a pod, whose address is not known before
        port=settings.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    start_http_server(settings.metrics_port)
    DrainingServer(config, service, settings.drain_seconds).run()


if __name__ == "__main__":
    main()
