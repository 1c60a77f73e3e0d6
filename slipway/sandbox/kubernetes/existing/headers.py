"""What of a request's headers reaches the existing API server, and in whose name it asks: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, as h11 gives them."""

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"})
"""They speak of one connection; source: RFC 9110, section 7.6.1. Transfer-Encoding stays: h11 frames by it."""
REPLACED = frozenset({b"host", b"authorization", b"expect"})
IMPERSONATION = b"impersonate-"
CLAIMS = (IMPERSONATION, b"x-remote-")
"""Beginnings of headers by which a client may claim to be somebody: they would be believed, coming with an administrator's credentials."""
LONG_SUBRESOURCES = frozenset({"attach", "exec", "log", "portforward", "proxy"})
"""Source: the API server's own list of long-running requests."""


@dataclass(frozen=True, kw_only=True)
class User:
    """Whom a token stands for, as a TokenReview says."""

    name: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The request's token; empty when it has none."""
    value = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, token = value.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def impersonation(user: User) -> Headers:
    """The headers by which an administrator asks in a user's name."""
    made = [(b"impersonate-user", user.name.encode())]
    made += [(b"impersonate-group", group.encode()) for group in user.groups]
    made += [
        (f"impersonate-extra-{quote(key.lower(), safe='-_.')}".encode(), value.encode())
        for key, values in user.extra.items()
        for value in values
    ]
    return made


def request_headers(
    given: Iterable[tuple[bytes, bytes]], *, host: str, credentials: Mapping[str, str], user: User
) -> Headers:
    """What the existing API server gets: the client's headers without its claims, then who asks for whom."""
    given = list(given)
    upgrade = [value for name, value in given if name == b"upgrade"]
    kept = [pair for pair in given if _passes(pair[0])]
    if any(name == b"transfer-encoding" for name, _ in kept):
        # Both would let two servers disagree where the request ends.
        kept = [pair for pair in kept if pair[0] != b"content-length"]
    own = [(name.lower().encode(), value.encode()) for name, value in credentials.items()]
    made = [(b"host", host.encode()), *kept, *own, *impersonation(user)]
    if upgrade:
        made += [(b"connection", b"Upgrade"), *((b"upgrade", value) for value in upgrade)]
    return made


def answer_headers(given: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What the client gets of the answer's headers."""
    return [pair for pair in given if pair[0] not in HOP_BY_HOP]


def is_long_running(target: str) -> bool:
    """Whether the answer may rightly stay silent for hours: a watch, a log that is followed, a session."""
    address = urlsplit(target)
    query = parse_qs(address.query)
    segments = [segment for segment in address.path.split("/") if segment]
    if any(value in {"1", "true"} for value in query.get("watch", [])) or "watch" in segments[2:5]:
        return True
    return bool(LONG_SUBRESOURCES & set(segments[4:]))


def _passes(name: bytes) -> bool:
    return name not in HOP_BY_HOP and name not in REPLACED and not name.startswith(CLAIMS)
