"""Clients of HTTP, by the settings of the caller's environment."""

from __future__ import annotations

from functools import cache
from ssl import SSLContext
from typing import Any

import httpx

from slipway.errors import UsageError


def http_client(*, timeout: float, **settings: Any) -> httpx.Client:
    """A client whose every request is bounded by `timeout` seconds. Raises UsageError where the environment allows none."""
    try:
        return httpx.Client(timeout=timeout, verify=_trust(), **settings)
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise UsageError(
            f"no client of HTTP can be made: {error}", remedy="check the variables …_PROXY and SSL_CERT_FILE"
        ) from error


@cache
def _trust() -> SSLContext:
    """Read once: it takes longer than all else of a client."""
    return httpx.create_ssl_context()
