"""Who calls: the IAM principal behind an access key, and the key's secret."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from slipway.sandbox.aws.lock import API_LOCK

PARTITION = "aws"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A caller as STS names it."""

    arn: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    """Of a role session; a user has none."""
    is_owner: bool = False
    """The sandbox's own user, who may do everything."""
    role_arn: str = ""
    """The role of a session."""
    session: Any = field(default=None, repr=False)
    """moto's, with its policies and tags."""
    expired: bool = False

    def has_token(self, token: str) -> bool:
        """Whether a request came with this caller's session token."""
        return hmac.compare_digest(self.session_token.encode(), token.encode())


def find_caller(access_key: str) -> Caller | None:
    """The user or role session that owns an access key, in any account; None for one that nobody made or that was deactivated.

    The sandbox's own user has the credentials in this process's environment.
    """
    if access_key == os.environ["AWS_ACCESS_KEY_ID"]:
        secret = os.environ["AWS_SECRET_ACCESS_KEY"]
        return Caller(arn=default_arn(DEFAULT_ACCOUNT_ID), secret_key=secret, is_owner=True)
    for account in list(sts_backends.values()):
        session = account[PARTITION].get_assumed_role_from_access_key(access_key)
        if session is not None:
            return Caller(
                arn=session.arn,
                secret_key=session.secret_access_key,
                session_token=session.session_token,
                role_arn=session.role_arn,
                session=session,
                expired=session.expiration <= utcnow(),
            )
    for account in list(iam_backends.values()):
        for user in account[PARTITION].users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key and key.status == "Active":
                    return Caller(arn=user.arn, secret_key=key.secret_access_key)
    return None


def session_keys() -> frozenset[str]:
    """The access keys of all role sessions. Also without the API's lock."""
    return frozenset(
        str(session.access_key_id)
        for account in list(sts_backends.values())
        for session in list(account[PARTITION].assumed_roles)
    )


def caller_of(access_key: str) -> Caller | None:
    """As `find_caller`, for who does not hold the API's lock."""
    with API_LOCK:
        return find_caller(access_key)


def caller_arn(account_id: str, access_key: str) -> str:
    """As GetCallerIdentity answers: a key nobody made is the sandbox's own user, as everywhere in moto."""
    caller = find_caller(access_key)
    return caller.arn if caller else default_arn(account_id)


def default_arn(account_id: str) -> str:
    """The sandbox's own user."""
    return f"arn:{PARTITION}:iam::{account_id}:user/moto"
