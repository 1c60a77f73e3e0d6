"""The webhook that API servers ask about AWS tokens (`aws eks get-token`), as EKS's authenticator answers it.

A token is a presigned GetCallerIdentity request. It is checked, not sent: the signature is computed again with the caller's secret, and
it covers the header that names the cluster, so a token for one cluster does not open another.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from slipway.log import get_logger
from slipway.sandbox.aws.callers import Caller
from slipway.sandbox.aws.signatures import ALGORITHM, presigned_scope

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - a format, not a secret
CLUSTER_HEADER = "x-k8s-aws-id"
LIFETIME = timedelta(minutes=15)
"""Of a token, whatever it says itself; source: aws-iam-authenticator."""
CLOCK_SKEW = timedelta(minutes=5)
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
MAXIMUM_TOKEN_BYTES = 16384

log = get_logger(__name__)


class TokenError(Exception):
    """The token is not good; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A user of the cluster."""

    username: str
    groups: tuple[str, ...]
    arn: str


CallerOf = Callable[[str], Caller | None]
"""From an access key to its owner."""
IdentityOf = Callable[[str, str], Identity | None]
"""From cluster name and caller's ARN to a user, by the access entries."""


def review(
    request: dict[str, Any], cluster: str, *, caller_of: CallerOf, identity_of: IdentityOf, now: datetime
) -> dict[str, Any]:
    """Answer a TokenReview."""
    spec: Any = request.get("spec")
    token = str(cast(dict[str, Any], spec).get("token", "")) if isinstance(spec, dict) else ""
    answer: dict[str, Any] = {
        "apiVersion": str(request.get("apiVersion", "authentication.k8s.io/v1")),
        "kind": "TokenReview",
    }
    try:
        caller = verify_token(token, cluster, caller_of=caller_of, now=now)
        identity = identity_of(cluster, caller)
        if identity is None:
            raise TokenError(f"{caller} has no access entry in cluster {cluster}")
    except TokenError as error:
        log.warning("token refused", cluster=cluster, why=str(error))
        return answer | {"status": {"authenticated": False, "error": str(error)}}
    user = {"username": identity.username, "groups": list(identity.groups), "extra": {"arn": [identity.arn]}}
    return answer | {"status": {"authenticated": True, "user": user}}


def verify_token(token: str, cluster: str, *, caller_of: CallerOf, now: datetime) -> str:
    """The caller's ARN; raises TokenError unless the token is whole, fresh, signed by the caller and for this cluster."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > MAXIMUM_TOKEN_BYTES:
        raise TokenError("not a token of `aws eks get-token`")
    encoded = token.removeprefix(TOKEN_PREFIX)
    try:
        url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        address = urlsplit(url)
        query = dict(parse_qsl(address.query, keep_blank_values=True, strict_parsing=True))
        scope = presigned_scope(query)
    except (ValueError, KeyError) as error:
        raise TokenError(f"malformed token: {error}") from error
    if (
        query.get("Action") != "GetCallerIdentity"
        or query.get("X-Amz-Algorithm") != ALGORITHM
        or scope.service != "sts"
    ):
        raise TokenError("the token is not a signed GetCallerIdentity request")
    if CLUSTER_HEADER not in scope.signed_headers:
        raise TokenError(f"the token does not sign the header {CLUSTER_HEADER}")
    if not scope.signed_at - CLOCK_SKEW <= now <= scope.signed_at + LIFETIME:
        raise TokenError(f"the token was signed at {scope.signed_at:%H:%M:%S} and is good for 15 minutes")
    caller = caller_of(scope.access_key)
    if caller is None or caller.expired or not caller.has_token(query.get("X-Amz-Security-Token", "")):
        raise TokenError(f"access key {scope.access_key} is not known to the sandbox")
    headers = {"host": address.netloc, CLUSTER_HEADER: cluster}
    if set(scope.signed_headers) - set(headers):
        raise TokenError(f"the token signs headers that it does not carry: {', '.join(scope.signed_headers)}")
    if not scope.signed_with(caller.secret_key, "GET", url, headers, EMPTY_HASH):
        raise TokenError(f"the signature is wrong, or the token is for another cluster than {cluster}")
    return caller.arn


def decode_request(body: bytes) -> dict[str, Any]:
    """The TokenReview in a request's body; an empty one when it is none."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
