"""Logging in to RDS without a password: a token for each new connection, signed with the pod's own AWS credentials."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import psycopg
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.session import Session
from sqlalchemy import Engine, event
from sqlalchemy.util import await_

LIFETIME_SECONDS = 900
"""For a login that begins within it. A connection outlives its token. Source: RDS user guide, "IAM database authentication"."""


class DatabaseTokens:
    """Tokens of one database user. Credentials are fetched with the first one, and again when they are about to expire."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        region: str,
        credentials: Callable[[], Credentials | None] | None = None,
    ) -> None:
        self._url = f"https://{host}:{port}/?{urlencode({'Action': 'connect', 'DBUser': user})}"
        self._region = region
        self._credentials = credentials or Session().get_credentials

    def __call__(self) -> str:
        """A new token; psycopg.OperationalError where there are no credentials at the moment, as for a database that is away."""
        # As `generate_db_auth_token` of an RDS client does it, without 13 MiB of that API's model in each pod.
        request = AWSRequest("GET", self._url)
        try:
            found = self._credentials()
            if found is None:
                raise psycopg.OperationalError("no AWS credentials to log in with")
            SigV4QueryAuth(found.get_frozen_credentials(), "rds-db", self._region, LIFETIME_SECONDS).add_auth(request)
        except BotoCoreError as error:
            raise psycopg.OperationalError(f"no AWS credentials to log in with: {type(error).__name__}") from error
        return str(request.url).removeprefix("https://")


def log_in_by_tokens(engine: Engine, make_token: Callable[[], str]) -> None:
    """Give each new connection of `engine`, or of an async engine's `sync_engine`, a token of its own."""

    @event.listens_for(engine, "do_connect")
    def give_token(dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        # Credentials may have to be fetched, which takes seconds when their endpoint is away: no other request waits for it.
        parameters["password"] = await_(asyncio.to_thread(make_token)) if dialect.is_async else make_token()
