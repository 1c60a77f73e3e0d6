"""Asks the sandbox whom a token stands for: the same TokenReview that a built cluster's API server sends."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import httpx

from slipway.sandbox.kubernetes.existing.headers import User
from slipway.sandbox.kubernetes.existing.refusal import unauthorized, unavailable

TIMEOUT_SECONDS = 10
CACHE_SECONDS = 2.0
"""As a built cluster's API server: a new access entry must work at once."""


class TokenReviewer:
    """Answers of the token webhook, each kept for two seconds."""

    def __init__(self, webhook_url: str) -> None:
        self._url = webhook_url
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._known: dict[bytes, tuple[float, User]] = {}

    async def user(self, token: str) -> User:
        """Whom the token stands for; raises Refusal."""
        if not token:
            raise unauthorized("the request has no bearer token; `aws eks get-token` makes one")
        # By its hash: nothing here keeps a token longer than the request.
        key, now = hashlib.sha256(token.encode()).digest(), time.monotonic()
        self._known = {each: found for each, found in self._known.items() if now < found[0]}
        if key in self._known:
            return self._known[key][1]
        user = await self._ask(token)
        self._known[key] = (time.monotonic() + CACHE_SECONDS, user)
        return user

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def _ask(self, token: str) -> User:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        try:
            answer = await self._http.post(self._url, json=review)
            answer.raise_for_status()
            status: dict[str, Any] = answer.json()["status"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            why = f"the sandbox's AWS API, which knows the tokens, does not answer: {error}"
            raise unavailable(f"{why}; run `slipway sandbox up`") from error
        # Nothing but a plain true lets anybody in.
        if status.get("authenticated") is not True:
            raise unauthorized(str(status.get("error") or "the token is not good"))
        found: dict[str, Any] = status["user"]
        extra: dict[str, list[str]] = found.get("extra") or {}
        return User(
            name=str(found["username"]),
            groups=tuple(str(group) for group in found.get("groups") or ()),
            extra={key: tuple(values) for key, values in extra.items()},
        )
