"""Clients of HTTP, by the settings of the caller's environment."""

from __future__ import annotations

import os
from functools import cache
from ssl import SSLContext
from typing import Any

import httpx

from slipway.errors import UsageError

SERVICE_BUNDLE_VARIABLE = "SLIPWAY_CA_BUNDLE"
"""Path of certificates, in PEM, whom a service's domain may also be verified by: of the sandbox, or of an organisation's own authority."""


def http_client(*, timeout: float, to_service: bool = False, **settings: Any) -> httpx.Client:
    """A client whose every request is bounded by `timeout` seconds. Raises UsageError where the environment allows none.

    `to_service`: it asks the delivered service, which the authorities in SLIPWAY_CA_BUNDLE may vouch for. Others they may not.
    """
    bundle = os.environ.get(SERVICE_BUNDLE_VARIABLE, "") if to_service else ""
    try:
        return httpx.Client(timeout=timeout, verify=_trust(bundle), **settings)
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise UsageError(
            f"no client of HTTP can be made: {error}",
            remedy=f"check the variables …_PROXY, SSL_CERT_FILE and {SERVICE_BUNDLE_VARIABLE}",
        ) from error


@cache
def _trust(bundle: str) -> SSLContext:
    """Read once: it takes longer than all else of a client."""
    context = httpx.create_ssl_context()
    if bundle:
        context.load_verify_locations(cafile=bundle)
    return context
