"""IAM database authentication: a token is a presigned request `connect`, which is checked and not sent.

Source: "Creating and using an IAM policy for IAM database access" and "Connecting to your DB instance using IAM authentication", Amazon RDS
User Guide; `generate_db_auth_token` of the SDKs.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from slipway.sandbox.aws.callers import Caller, caller_of
from slipway.sandbox.aws.iam.documents import PolicyError
from slipway.sandbox.aws.iam.enforcement import decide
from slipway.sandbox.aws.iam.principals import identity_of
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.iam.special_resources import Need
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.rds.models import RealInstance, real_instances
from slipway.sandbox.aws.signatures import ALGORITHM, presigned_scope

ACTION = "rds-db:connect"
LIFETIME = timedelta(seconds=900)
CLOCK_SKEW = timedelta(minutes=5)
MAXIMUM_TOKEN_CHARACTERS = 16384
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


class LoginError(Exception):
    """The login is refused; the text says why, for the daemon's log. The client is told nothing."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who wants to be which user of which server."""

    endpoint: str
    """Host and port, as DescribeDBInstances tells them; a token for another name of the server is none."""
    region: str
    user: str


def check_login(server: str, user: str, token: str, now: datetime) -> None:
    """Raise LoginError unless the token lets its signer in as this user of this server."""
    with API_LOCK:
        database = next((each for each in real_instances() if each.server_name == server), None)
        if database is None or not database.iam_database_authentication_enabled:
            raise LoginError("the DB instance has no IAM database authentication")
        login = Login(endpoint=f"{database.address}:{database.port}", region=database.region, user=user)
        caller = verify_token(token, login, caller_of=caller_of, now=now)
        if not caller.is_owner:
            _judge(caller, database, user)


def verify_token(token: str, login: Login, *, caller_of: Callable[[str], Caller | None], now: datetime) -> Caller:
    """Who signed the token, for this login and not long ago. Raises LoginError."""
    if len(token) > MAXIMUM_TOKEN_CHARACTERS:
        raise LoginError("the token is too long")
    url = f"https://{token}"
    address, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise LoginError("a field of the token stands there twice")
    if address != f"https://{login.endpoint}/":
        raise LoginError(f"the token is for {address[8:200]}, not {login.endpoint}/")
    if (fields.get("Action"), fields.get("DBUser")) != ("connect", login.user):
        raise LoginError(f"the token is not to connect as {login.user}")
    try:
        if fields["X-Amz-Algorithm"] != ALGORITHM:
            raise LoginError(f"the token is not signed by {ALGORITHM}")
        scope = presigned_scope(fields)
        lifetime = min(timedelta(seconds=int(fields["X-Amz-Expires"])), LIFETIME)
    except (KeyError, ValueError, OverflowError) as error:
        raise LoginError("the token is no presigned request") from error
    if (scope.service, scope.region, scope.signed_headers) != ("rds-db", login.region, ("host",)):
        raise LoginError(f"the token is not signed for rds-db in {login.region}")
    if not scope.signed_at - CLOCK_SKEW <= now <= scope.signed_at + lifetime:
        raise LoginError(f"the token was signed at {scope.signed_at} and is out of its time")
    caller = caller_of(scope.access_key)
    if caller is None or not caller.has_token(fields.get("X-Amz-Security-Token", "")) or caller.expired:
        raise LoginError("the token is signed with credentials that are unknown or ended")
    if not scope.signed_with(caller.secret_key, "GET", url, {"host": login.endpoint}, EMPTY_HASH):
        raise LoginError("the token's signature is wrong")
    return caller


def _judge(caller: Caller, database: RealInstance, user: str) -> None:
    account = caller.arn.split(":")[4]
    resource = f"arn:aws:rds-db:{database.region}:{database.account_id}:dbuser:{database.dbi_resource_id}/{user}"
    call = ApiCall(service="rds-db", prefix="rds-db", operation="connect", region=database.region, account=account)
    try:
        decision = decide(call, Need(ACTION, resource), identity_of(caller))
    except PolicyError as error:
        raise LoginError(f"{caller.arn} has a policy that cannot be read: {error}") from error
    if not decision.allowed:
        raise LoginError(f"{caller.arn} is not authorized to perform {ACTION} on {resource} {decision.why}")
