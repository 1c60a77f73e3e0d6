"""`python -m slipway.sandbox.kubernetes.existing.serve`: one endpoint as a process of its own, so that it outlives the daemon."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from slipway.sandbox.kubernetes.existing.address import ADDRESS
from slipway.sandbox.kubernetes.existing.proxy import Proxy
from slipway.sandbox.kubernetes.existing.review import TokenReviewer
from slipway.sandbox.kubernetes.existing.upstream import Upstream

HANDSHAKE_SECONDS = 10
BACKLOG = 256

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What one endpoint is made of."""

    port: int
    """On 127.0.0.1; 0 takes any free one."""
    pki: Path
    """Folder with `server.crt` and `server.key`."""
    kubeconfig: Path
    """Of the existing cluster's administrator; its current context counts."""
    token_webhook: str
    """Asked by POST of a TokenReview about each bearer token."""


def parse_options(arguments: list[str]) -> ServeOptions:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m slipway.sandbox.kubernetes.existing.serve", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pki", type=Path, required=True)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--token-webhook", required=True)
    return ServeOptions(**vars(parser.parse_args(arguments)))


async def start(options: ServeOptions, reviewer: TokenReviewer) -> asyncio.Server:
    """Listen; serves as long as the event loop runs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(options.pki / "server.crt", options.pki / "server.key")
    proxy = Proxy(Upstream(options.kubeconfig), reviewer)
    return await asyncio.start_server(
        proxy.serve,
        ADDRESS,
        options.port,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_SECONDS,
        backlog=BACKLOG,
    )


async def run(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    reviewer = TokenReviewer(options.token_webhook)
    server = await start(options, reviewer)
    log.info("serving", port=options.port)
    await stop.wait()
    server.close()
    with contextlib.suppress(Exception):
        await reviewer.close()


def main() -> int:
    """Entry point."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Plain tracebacks: the default ones print local variables, and those hold tokens.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    asyncio.run(run(parse_options(sys.argv[1:])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
