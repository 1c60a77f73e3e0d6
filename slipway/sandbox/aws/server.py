"""The HTTP server of the AWS API: threads, several addresses, one request for each connection."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from slipway.errors import MachineError

IDLE_SECONDS = 60
"""For which a client may say nothing before its request is whole."""


class _RequestHandler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    """Headers and body are written apart; with Nagle's algorithm the second write waits 40 ms for an acknowledgement."""
    wbufsize = 65536

    def make_environ(self) -> dict[str, Any]:
        """Chunks are left to `read_body`."""
        return {**super().make_environ(), "wsgi.input": self.rfile}

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged: they may carry secrets, and there are thousands."""
        del code, size


class AwsServer:
    """Serves one WSGI application on all given addresses, from threads of this process."""

    def __init__(
        self, application: Any, addresses: Sequence[str], port: int, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """`port` 0 takes any free one, the same on every address. Raises MachineError when it is busy."""
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._servers: list[BaseWSGIServer] = []
        self.port = port
        for address in addresses:
            server = _bind(application, address, self.port, _tls_handler(tls) if tls else _RequestHandler)
            self.port = server.port
            self._servers.append(server)

    def start(self) -> None:
        """Serve in the background."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, name=f"aws-{server.host}", daemon=True).start()

    def stop(self) -> None:
        """Take no more requests."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _tls_handler(context: ssl.SSLContext) -> type[_RequestHandler]:
    class TlsRequestHandler(_RequestHandler):
        def setup(self) -> None:
            """The handshake, in the connection's own thread: a client that says nothing keeps nobody waiting."""
            self.request.settimeout(IDLE_SECONDS)
            self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def finish(self) -> None:
            """The server knows the socket below only."""
            super().finish()
            self.request.close()

    return TlsRequestHandler


def _bind(application: Any, address: str, port: int, handler: type[_RequestHandler]) -> BaseWSGIServer:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise MachineError(
            f"port {port} of {address} cannot be used: {error.strerror}",
            remedy="stop what listens there (`ss -ltnp` names it), or run `slipway sandbox down` for the sandbox that holds it",
        ) from error
    bound_port = listener.getsockname()[1]
    server = make_server(address, bound_port, application, threaded=True, request_handler=handler, fd=listener.fileno())
    listener.detach()
    return server
