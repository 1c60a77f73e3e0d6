"""Answers of the daemon's own pages: JSON, a registry's error, or what the registry itself said."""

from __future__ import annotations

import json
from typing import Any

import httpx

Environ = dict[str, Any]
Answer = tuple[str, list[tuple[str, str]], list[bytes]]
"""Status line, headers, body."""

PASSED_ON = (
    *(
        "Content-Type",
        "Docker-Content-Digest",
        "Docker-Distribution-Api-Version",
        "Docker-Upload-Uuid",
        "Etag",
        "Location",
    ),
    "Range",
)


def json_answer(value: object, status: str = "200 OK") -> Answer:
    """A JSON page."""
    body = json.dumps(value, default=str).encode()
    return status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], [body]


def passed_on(response: httpx.Response, *, with_body: bool = True) -> Answer:
    """The registry's own answer."""
    headers = [(name, response.headers[name]) for name in PASSED_ON if name in response.headers]
    headers.append(("Content-Length", str(len(response.content))))
    status = f"{response.status_code} {response.reason_phrase}"
    return status, headers, [response.content] if with_body else []


def manifest_error(status: str, code: str, message: str) -> Answer:
    """An error as registries write them; Docker shows its message."""
    return json_answer({"errors": [{"code": code, "message": message}]}, status)
