"""How delivery calls AWS: one session, bounded calls, and AWS's refusals as our errors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from slipway.errors import OperationError, UsageError

CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 7})
"""A call that hangs must not hold a rollout longer than a bake; retries cover throttling, and half a minute without an endpoint."""


@cache
def session(region: str) -> boto3.Session:
    """The caller's own credentials, from wherever the AWS SDK finds them. One per region: it keeps the service models it has read."""
    with _settings_of_caller():
        return boto3.Session(region_name=region)


def client(service: str, region: str) -> Any:
    """A bounded client of one service. `Any`: the caller names the type, boto3's own overloads cannot."""
    factory: Any = session(region)
    with _settings_of_caller():
        return factory.client(service, config=CONFIG)


def brief_client(service: str, region: str, timeout_seconds: float) -> Any:
    """A client for what may fail, but not last: each of its two tries ends within so many seconds."""
    factory: Any = session(region)
    brief = Config(connect_timeout=timeout_seconds, read_timeout=timeout_seconds, retries={"total_max_attempts": 2})
    with _settings_of_caller():
        return factory.client(service, config=brief)


@contextmanager
def _settings_of_caller() -> Generator[None]:
    """What the AWS SDK cannot make a client of, as UsageError."""
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        said = " ".join(str(error).split())  # it quotes what it does not take, line ends and all
        raise UsageError(
            f"the AWS SDK does not take its settings: {said}", remedy="check the variables AWS_… and the profile"
        ) from error


@contextmanager
def aws_errors(doing: str) -> Generator[None]:
    """Failures inside the block as OperationError that says what was being done."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise OperationError(f"cannot {doing}: {error}", remedy="check the AWS credentials and the endpoint") from error


def is_conditional_failure(error: ClientError) -> bool:
    """Whether DynamoDB refused because somebody else wrote first."""
    return error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
