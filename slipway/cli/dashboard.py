"""`slipway dashboard`: the web page."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Annotated

import typer

from slipway.cli.output import err
from slipway.cli.session import session_of
from slipway.errors import MachineError, UsageError

DEFAULT_PORT = 8787
LOOPBACK = "127.0.0.1"
LOCALHOST = "localhost"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def dashboard(
    context: typer.Context,
    environment: Annotated[
        str, typer.Argument(metavar="ENVIRONMENT", help="Environment whose ledger is read.")
    ] = "dev",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = DEFAULT_PORT,
    host: Annotated[
        str,
        typer.Option(
            help="The one address to listen on. No authentication: put an authenticating proxy in front before exposing it."
        ),
    ] = LOOPBACK,
    name: Annotated[
        list[str] | None, typer.Option(help="A host name under which a proxy makes the page known; may be repeated.")
    ] = None,
) -> None:
    """Serve a page that shows every environment, how its traffic moves, and its rollouts. It changes nothing. Ctrl-C ends it."""
    from slipway.delivery.dashboard import build_app, build_server  # noqa: PLC0415 - half a second that no other needs
    from slipway.delivery.wiring import build_overview  # noqa: PLC0415

    address = parse_address(host)
    hosts = hosts_of(address, name or ())
    session = session_of(context)
    session.activate()
    overview = build_overview(session.require_project(), session.require_stack(environment))
    with listening(address, port) as listener:
        err().print(f"dashboard: http://{hosts[0]}:{listener.getsockname()[1]}/ (Ctrl-C ends it)", markup=False)
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends first, then raises it again
            build_server(build_app(overview, hosts=hosts)).run(sockets=[listener])


def parse_address(host: str) -> Address:
    """One address to listen on. Raises UsageError for what is none, or stands for all that the machine has."""
    try:
        address = ipaddress.ip_address(LOOPBACK if host == LOCALHOST else host)
    except ValueError:
        address = None
    if address is None or address.is_unspecified:
        raise UsageError(f"--host: got {host!r}, want one IP address of this machine, such as 127.0.0.1 or ::1")
    return address


def hosts_of(address: Address, names: Sequence[str]) -> Sequence[str]:
    """What a browser may call the dashboard that listens on `address`: any other name may be a foreign page's."""
    for name in names:
        if "*" in name:
            raise UsageError(f"--name: got {name!r}, want one whole host name")
    own = f"[{address}]" if address.version == 6 else str(address)
    return [own, *([LOCALHOST] if address.is_loopback else []), *names]


def listening(address: Address, port: int) -> socket.socket:
    """A socket to serve on. Raises MachineError when the port is taken, or the address is not this machine's."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        return socket.create_server((str(address), port), family=family)
    except OSError as error:
        remedy = "name another one: --port 0 takes any that is free"
        what = f"cannot listen on {address}, port {port}: {os.strerror(error.errno or 0)}"
        raise MachineError(what, remedy=remedy) from error
