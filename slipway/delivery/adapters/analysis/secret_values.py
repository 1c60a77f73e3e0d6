"""Secrets that an entry names: read from Secrets Manager when they are needed, and kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from slipway.contract.analysis import SecretHeader, SecretRef
from slipway.delivery.adapters.aws import aws_errors, brief_client
from slipway.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ReadSecret = Callable[[SecretRef, float], str]
"""The secret's value, within so many seconds."""


def secret_reader(region: str) -> ReadSecret:
    """Reads secrets of one region, with the caller's own credentials."""

    def read(reference: SecretRef, timeout_seconds: float) -> str:
        with aws_errors(f"read the secret {reference.secret}"):
            client: SecretsManagerClient = brief_client("secretsmanager", region, timeout_seconds)
            text = client.get_secret_value(SecretId=reference.secret).get("SecretString", "")
        return _field(text, reference)

    return read


def _field(text: str, reference: SecretRef) -> str:
    """The messages say nothing of what was read, and no error of a parser, which quotes it, is their cause."""
    value: object = text
    if reference.key:
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        value = cast("dict[str, object]", document).get(reference.key) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        where = f"the field {reference.key!r} of the secret" if reference.key else "the secret"
        raise OperationError(f"{where} {reference.secret} has no text")
    return value


def header_of(reference: SecretHeader | None, read: ReadSecret, timeout_seconds: float) -> dict[str, str]:
    """The header, ready to be sent; none where none is named."""
    if reference is None:
        return {}
    value = read(reference, timeout_seconds).strip()
    if not value.isascii() or not value.isprintable():
        # A client of HTTP would refuse it as well, with the value in its message.
        raise OperationError(f"the secret {reference.secret} has characters that no header may have")
    return {reference.name: reference.prefix + value}
