"""`slipway dashboard`: the web page."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Annotated

import typer

from slipway.cli.output import err
from slipway.cli.session import session_of
from slipway.errors import MachineError

DEFAULT_PORT = 8787
LOOPBACK = ("127.0.0.1", "localhost")


def dashboard(
    context: typer.Context,
    environment: Annotated[
        str, typer.Argument(metavar="ENVIRONMENT", help="Environment whose ledger is read.")
    ] = "dev",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = DEFAULT_PORT,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. No authentication: put an authenticating proxy in front before exposing it."
        ),
    ] = LOOPBACK[0],
) -> None:
    """Serve a page that shows every environment, how its traffic moves, and its rollouts. It changes nothing. Ctrl-C ends it."""
    import uvicorn  # noqa: PLC0415 - with the two below, half a second that no other command needs

    from slipway.delivery.dashboard import build_app  # noqa: PLC0415
    from slipway.delivery.wiring import build_overview  # noqa: PLC0415

    session = session_of(context)
    session.activate()
    overview = build_overview(session.require_project(), session.require_stack(environment))
    hosts = LOOPBACK if host in LOOPBACK else ("*",)
    with listening(host, port) as listener:
        address = f"http://{host}:{listener.getsockname()[1]}/"
        err().print(f"dashboard: {address} (Ctrl-C ends it)", markup=False)
        config = uvicorn.Config(build_app(overview, hosts=hosts), log_level="warning", access_log=False, lifespan="off")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends first, then raises it again
            uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket to serve on. Raises MachineError when the port is taken, or the address is not this machine's."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        remedy = "name another one: --port 0 takes any that is free"
        raise MachineError(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}", remedy=remedy) from error
