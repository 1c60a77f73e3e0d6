"""Answers PostgreSQL's question whether a token is good. PostgreSQL asks by LDAP's simple bind, as its method `ldap` does.

Of LDAP (RFC 4511) it is the bind alone: one request in BER, one answer.
"""

from __future__ import annotations

import socketserver
import threading
from datetime import UTC, datetime
from io import BufferedIOBase

from slipway.errors import MachineError
from slipway.log import get_logger
from slipway.sandbox.aws.rds.login_tokens import LoginError, check_login
from slipway.sandbox.database_tls import LOGIN_PREFIX, LOGIN_SUFFIX
from slipway.sandbox.ports import LOOPBACK

MAXIMUM_MESSAGE_BYTES = 65536
"""PostgreSQL takes no longer password (PG_MAX_AUTH_TOKEN_LENGTH)."""
MAXIMUM_NUMBER_BYTES = 4
IDLE_SECONDS = 10
SEQUENCE, INTEGER, OCTETS, BIND, SIMPLE = 0x30, 0x02, 0x04, 0x60, 0x80
SUCCESS, PROTOCOL_ERROR, INVALID_CREDENTIALS = 0, 2, 49

log = get_logger(__name__)


class MessageError(Exception):
    """Not a simple bind."""


class LoginServer:
    """Listens on loopback until it is stopped."""

    def __init__(self, port: int) -> None:
        try:
            self._server = _Server((LOOPBACK, port), _Handler)
        except OSError as error:
            raise MachineError(
                f"cannot listen on {LOOPBACK}:{port}: {error.strerror}", remedy=f"stop what has port {port}"
            ) from error

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._server.serve_forever, name="database logins", daemon=True).start()

    def stop(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _Handler(socketserver.StreamRequestHandler):
    timeout = IDLE_SECONDS

    def handle(self) -> None:
        """One bind; PostgreSQL makes a connection for each login."""
        try:
            number, name, token = read_bind(self.rfile)
        except (MessageError, OSError):
            return
        self.wfile.write(bind_answer(number, _answer(name, token)))


def _answer(name: str, token: str) -> int:
    # The server's part has no comma; a user's name may hold anything.
    user, found, server = name.removeprefix(LOGIN_PREFIX).rpartition(LOGIN_SUFFIX)
    if not name.startswith(LOGIN_PREFIX) or not found or not token:
        return PROTOCOL_ERROR
    try:
        check_login(server, user, token, datetime.now(UTC))
    except LoginError as error:
        log.info("database login refused", database=server, user=user, why=str(error))
        return INVALID_CREDENTIALS
    except Exception:
        log.exception("database login not judged", database=server, user=user)
        return INVALID_CREDENTIALS
    return SUCCESS


def read_bind(stream: BufferedIOBase) -> tuple[bytes, str, str]:
    """The message's number, the name and the password of a simple bind. Raises MessageError."""
    message = _Reader(_element(stream, SEQUENCE))
    number = message.take(INTEGER)
    if len(number) > MAXIMUM_NUMBER_BYTES:
        raise MessageError("the message's number is too long")
    bind = _Reader(message.take(BIND))
    bind.take(INTEGER)
    try:
        return number, bind.take(OCTETS).decode(), bind.take(SIMPLE).decode()
    except UnicodeDecodeError as error:
        raise MessageError("not in UTF-8") from error


def bind_answer(number: bytes, code: int) -> bytes:
    """A BindResponse, with neither a name nor a text."""
    response = bytes([0x0A, 1, code, OCTETS, 0, OCTETS, 0])
    content = bytes([INTEGER, len(number)]) + number + bytes([0x61, len(response)]) + response
    return bytes([SEQUENCE, len(content)]) + content


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        data = self._data
        if len(data) < 2 or data[0] != tag:
            raise MessageError(f"no element {tag:#x}")
        start, length = 2, data[1]
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        if length > len(data) - start:
            raise MessageError("an element is longer than the message")
        self._data = data[start + length :]
        return data[start : start + length]


def _element(stream: BufferedIOBase, tag: int) -> bytes:
    head = stream.read(2)
    if len(head) < 2 or head[0] != tag:
        raise MessageError(f"no element {tag:#x}")
    length = head[1]
    if length >= 0x80:
        digits = length & 0x7F
        if not 1 <= digits <= 4:
            raise MessageError("a length of that form is not LDAP's")
        length = int.from_bytes(stream.read(digits), "big")
    if length > MAXIMUM_MESSAGE_BYTES:
        raise MessageError("too long")
    content = stream.read(length)
    if len(content) < length:
        raise MessageError("cut short")
    return content
