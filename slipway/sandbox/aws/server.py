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
from collections import Counter
from collections.abc import Sequence
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer

from slipway.errors import MachineError
from slipway.sandbox.ports import HOST_ADDRESS

IDLE_SECONDS = 60
"""For which a client may say nothing before its request is whole."""
MOST_CONNECTIONS = 64
"""Open at a time from one address that is not this machine's own: no pod keeps all others out."""


class _RequestHandler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    """Headers and body are written apart; with Nagle's algorithm the second write waits 40 ms for an acknowledgement."""
    wbufsize = 65536

    def parse_request(self) -> bool:
        """Whether to serve the request; it is refused here otherwise."""
        if not super().parse_request():
            return False
        if why := _ambiguity(self.headers, urlsplit(self.path).netloc if "://" in self.path else ""):
            self.send_error(400, why)
            return False
        return True

    def make_environ(self) -> dict[str, Any]:
        """Chunks are left to `read_body`."""
        return {**super().make_environ(), "wsgi.input": self.rfile}

    def handle_expect_100(self) -> bool:
        """The client waits for this before it sends its body: it must not lie in the buffer."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        """The client has gone, or its answer is to be lost: either way it gets no other one by this connection."""
        del error, environ
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged: they may carry secrets, and there are thousands."""
        del code, size


def _ambiguity(headers: Message, named: str) -> str | None:
    """What another server may read otherwise: a proxy before this one, or what checks a signature. None for all else.

    `named`: the host in the request's first line, if there is one.
    """
    hosts, lengths, codings = (headers.get_all(name, []) for name in ("Host", "Content-Length", "Transfer-Encoding"))
    if len({*hosts, named} - {""}) > 1 or len(hosts) > 1:
        return "more than one host"
    if len(lengths) + len(codings) > 1:
        return "more than one length"
    if any(each.strip().lower() != "chunked" for each in codings):
        return "a transfer coding that is not supported"
    return None


class _Server(ThreadedWSGIServer):
    """A thread for each connection, and not too many for one client."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._open: Counter[str] = Counter()
        self._counting = threading.Lock()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether to serve a connection; it is closed otherwise."""
        del request
        client = str(client_address[0])
        return client in {"127.0.0.1", HOST_ADDRESS} or self._open[client] < MOST_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count it, and serve it in a thread."""
        self._count(client_address, 1)
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._count(client_address, -1)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._count(client_address, -1)

    def _count(self, client_address: Any, change: int) -> None:
        with self._counting:
            self._open[str(client_address[0])] += change
            self._open = +self._open


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
    server = _Server(address, bound_port, application, handler, fd=listener.fileno())
    listener.detach()
    return server
