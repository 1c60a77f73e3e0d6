"""What the AWS SDK says of the credentials that it found: whether it renews them, and when they end otherwise.

Pulumi's processes inherit the environment, not the keys that this process has: each finds its credentials as the SDK does, when it starts.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from botocore.credentials import EnvProvider, RefreshableCredentials

from slipway.delivery.adapters.aws import aws_errors, session
from slipway.delivery.model.credentials import LASTING, Credentials

NAMES = {EnvProvider.METHOD: "environment"}


def read_credentials(region: str) -> Credentials:
    """Of this process. OperationError when they cannot be found out, as where a profile's command fails."""
    with aws_errors("find the AWS credentials"):
        found: Any = session(region).get_credentials()
        return _describe(found) if found else LASTING  # without any, the first call says so


def _describe(found: Any) -> Credentials:
    method = str(found.method)
    source = NAMES.get(method, method)
    if not isinstance(found, RefreshableCredentials):
        return Credentials(source=source, lasting=not found.token)
    if method == EnvProvider.METHOD:
        # "Renewed" from the variables themselves, which nobody outside can change.
        ends_at: Any = getattr(found, "_expiry_time", None)
        return Credentials(source=source, lasting=False, ends_at=ends_at and ends_at.astimezone(UTC))
    # A role is taken on again for as long as the credentials do that it is taken on with.
    below: Any = getattr(getattr(getattr(found, "_refresh_using", None), "__self__", None), "_source_credentials", None)
    return _describe(below) if below else Credentials(source=source, lasting=True)
