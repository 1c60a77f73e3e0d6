"""One bounded request of HTTP, and its JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from slipway.delivery.adapters.http import http_client
from slipway.errors import OperationError

LONGEST_ANSWER = 1 << 20
PLAIN = {"Accept-Encoding": "identity"}
"""Four KiB can unpack into GiB."""


def ask_json(
    method: str,
    url: str,
    *,
    timeout_seconds: float,
    headers: Mapping[str, str],
    masked: Mapping[str, str],
    **request: Any,
) -> Any:
    """The answer's JSON. OperationError for anything but a 2xx with JSON of at most a MiB within the time.

    `masked`: headers with secrets. They are sent, and no message has their values. No redirect is followed: it would take them elsewhere.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        with (
            http_client(timeout=timeout_seconds, follow_redirects=False) as client,
            client.stream(method, url, headers={**PLAIN, **headers, **masked}, **request) as answer,
        ):
            body = _read(answer, deadline, timeout_seconds)
    except httpx.HTTPError as error:
        raise OperationError(
            without(masked, f"{_site(url)} cannot be asked: {type(error).__name__}: {error}")
        ) from None
    if not answer.is_success:
        raise OperationError(f"{_site(url)} answered {answer.status_code}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise OperationError(f"{_site(url)} answered no JSON") from None


def _read(answer: httpx.Response, deadline: float, timeout_seconds: float) -> bytes:
    body = bytearray()
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise OperationError(f"{_site(str(answer.url))} answered packed, which was not asked for")  # a bomb, maybe
    for piece in answer.iter_raw():
        body += piece
        if len(body) > LONGEST_ANSWER:
            raise OperationError(f"{_site(str(answer.url))} answered more than {LONGEST_ANSWER} bytes")
        if time.monotonic() > deadline:
            raise OperationError(f"{_site(str(answer.url))} did not end its answer within {timeout_seconds:g} s")
    return bytes(body)


def _site(url: str) -> str:
    """Without its query, which may be long."""
    return url.partition("?")[0]


def without(masked: Mapping[str, str], text: str) -> str:
    """`text` without what those headers say, with the word before it or alone."""
    for value in masked.values():
        text = text.replace(value, "***").replace(value.rpartition(" ")[2], "***")
    return text
