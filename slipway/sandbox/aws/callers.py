"""Who calls: the IAM principal behind an access key, and the key's secret."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from dataclasses import dataclass

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

DEFAULT_ACCESS_KEY = "test"
DEFAULT_SECRET_KEY = "test"  # noqa: S105 - the sandbox's public dummy
PARTITION = "aws"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A caller as STS names it."""

    arn: str
    secret_key: str


def find_caller(account_id: str, access_key: str) -> Caller | None:
    """The user or role session that owns an access key; the sandbox's own user for `test`; None for a key nobody made."""
    session = sts_backends[account_id][PARTITION].get_assumed_role_from_access_key(access_key)
    if session is not None:
        return Caller(arn=session.arn, secret_key=session.secret_access_key)
    for user in iam_backends[account_id][PARTITION].users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key:
                return Caller(arn=user.arn, secret_key=key.secret_access_key)
    if access_key == DEFAULT_ACCESS_KEY:
        return Caller(arn=default_arn(account_id), secret_key=DEFAULT_SECRET_KEY)
    return None


def caller_arn(account_id: str, access_key: str) -> str:
    """As GetCallerIdentity answers: a key nobody made is the sandbox's own user, as everywhere in moto."""
    caller = find_caller(account_id, access_key)
    return caller.arn if caller else default_arn(account_id)


def default_arn(account_id: str) -> str:
    """The sandbox's own user."""
    return f"arn:{PARTITION}:iam::{account_id}:user/moto"
