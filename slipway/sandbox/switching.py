"""Switches what the running daemon can change at any time, over its own pages, as the sandbox's owner."""

from __future__ import annotations

import http.client
import json
from typing import Any

from slipway.errors import MachineError, UsageError
from slipway.sandbox.environment import ENDPOINT, REGION, aws_credentials
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.running import ask_page

METRICS_VARIABLE = "SLIPWAY_SANDBOX_METRICS"
"""The pace of load balancers' metrics, which `slipway sandbox up` sets."""
PACES = ("aws", "live")
TIMEOUT_SECONDS = 60
"""A switch is answered once load balancers and packet filter have followed."""


def check_pace(pace: str, where: str = "") -> str:
    """The pace of metrics that this text names. Raises UsageError for another."""
    if pace not in PACES:
        raise UsageError(f"metrics have no pace {pace!r}", where=where, remedy=f"choose one of: {', '.join(PACES)}")
    return pace


def show_switch(page: str, url: str = ENDPOINT) -> dict[str, Any]:
    """What `/_slipway/<page>` says. Raises MachineError."""
    return _ask("GET", page, b"", {}, url)


def set_switch(paths: SandboxPaths, page: str, document: object, url: str = ENDPOINT) -> dict[str, Any]:
    """What the page says afterwards. Raises UsageError for what it refuses, MachineError where nothing answers."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - asking needs no signature, and no botocore
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    body, keys = json.dumps(document).encode(), aws_credentials(paths)
    request: Any = AWSRequest("POST", f"{url}/_slipway/{page}", data=body)
    credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    signer: Any = SigV4Auth(credentials, "slipway", REGION)
    signer.add_auth(request)
    return _ask("POST", page, body, dict(request.headers.items()), url)


def _ask(method: str, page: str, body: bytes, headers: dict[str, str], url: str) -> dict[str, Any]:
    try:
        response, said = ask_page(page, url=url, seconds=TIMEOUT_SECONDS, method=method, body=body, headers=headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise MachineError(f"the sandbox's daemon does not answer: {error}", where=url) from error
    if response.status >= 400:
        raise UsageError(str(said.get("error") or response.reason))
    return said
