"""Clients of a sandbox's AWS API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3

from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths


def aws_client(
    service: str, home: Path, url: str = "http://127.0.0.1:4566", region: str = "us-east-1", **settings: Any
) -> Any:
    """boto3's own, as the user of the sandbox in this folder."""
    keys = aws_credentials(SandboxPaths(home))
    return boto3.client(
        service,
        region,
        endpoint_url=url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        **settings,
    )
