"""The sandbox's AWS accounts: its own, and every other one that a stack file names. The owner gets into them as with AWS Organizations."""

from __future__ import annotations

import re
from typing import Any

from slipway.errors import MachineError, UsageError
from slipway.sandbox.environment import ENDPOINT, REGION, aws_credentials
from slipway.sandbox.paths import SandboxPaths

OWN_ACCOUNT = "123456789012"
"""Where the sandbox's user is, and everything of a project that names no other account."""
ROLE = "OrganizationAccountAccessRole"
ACCOUNT = re.compile(r"\d{12}")


def account_credentials(paths: SandboxPaths, account: str, url: str = ENDPOINT) -> dict[str, str]:
    """The variables with credentials of an account; of another than the sandbox's own for an hour. MachineError without an answer."""
    if not ACCOUNT.fullmatch(account):
        raise UsageError(f"want an AWS account's 12 digits, not {account!r}")
    keys = aws_credentials(paths)
    if account == OWN_ACCOUNT:
        return keys
    import botocore.session  # noqa: PLC0415 - slow, and most projects are in one account
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    session = botocore.session.Session()
    session.set_credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    sts: Any = session.create_client("sts", region_name=REGION, endpoint_url=url)
    try:
        taken = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{ROLE}", RoleSessionName="slipway")
    except (ClientError, BotoCoreError) as error:
        raise MachineError(f"the sandbox lets nobody into account {account}: {error}", where=url) from error
    made = taken["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
        "AWS_CREDENTIAL_EXPIRATION": made["Expiration"].isoformat(),
    }
