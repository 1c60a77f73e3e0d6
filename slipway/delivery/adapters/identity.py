"""Whose AWS credentials these are, by STS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from slipway.delivery.adapters.aws import brief_client
from slipway.log import get_logger

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

TIMEOUT_SECONDS = 3.0
"""A way back does not wait longer for it."""

log = get_logger(__name__)


def read_account(region: str) -> str | None:
    """The account of the credentials in use; None where STS does not say: what is done with them then says why."""
    client: STSClient = brief_client("sts", region, TIMEOUT_SECONDS)
    try:
        return client.get_caller_identity()["Account"]
    except (ClientError, BotoCoreError) as error:
        log.warning("cannot ask whose the AWS credentials are", error=str(error))
        return None
