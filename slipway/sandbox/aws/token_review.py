"""The webhook that API servers ask about AWS tokens (`aws eks get-token`), as EKS's authenticator answers it.

A token is a presigned GetCallerIdentity request. It is checked, not sent: the signature is computed again with the caller's secret, and
it covers the header that names the cluster, so a token for one cluster does not open another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

from slipway.log import get_logger

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - a format, not a secret
CLUSTER_HEADER = "x-k8s-aws-id"
LIFETIME = timedelta(minutes=15)
"""Of a token, whatever it says itself; source: aws-iam-authenticator."""
CLOCK_SKEW = timedelta(minutes=5)
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
ALGORITHM = "AWS4-HMAC-SHA256"
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


SecretOf = Callable[[str], tuple[str, str] | None]
"""From an access key to the caller's ARN and secret key."""
IdentityOf = Callable[[str, str], Identity | None]
"""From cluster name and caller's ARN to a user, by the access entries."""


def review(
    request: dict[str, Any], cluster: str, *, secret_of: SecretOf, identity_of: IdentityOf, now: datetime
) -> dict[str, Any]:
    """Answer a TokenReview."""
    spec: Any = request.get("spec")
    token = str(cast(dict[str, Any], spec).get("token", "")) if isinstance(spec, dict) else ""
    answer: dict[str, Any] = {
        "apiVersion": str(request.get("apiVersion", "authentication.k8s.io/v1")),
        "kind": "TokenReview",
    }
    try:
        caller = verify_token(token, cluster, secret_of=secret_of, now=now)
        identity = identity_of(cluster, caller)
        if identity is None:
            raise TokenError(f"{caller} has no access entry in cluster {cluster}")
    except TokenError as error:
        log.warning("token refused", cluster=cluster, why=str(error))
        return answer | {"status": {"authenticated": False, "error": str(error)}}
    user = {"username": identity.username, "groups": list(identity.groups), "extra": {"arn": [identity.arn]}}
    return answer | {"status": {"authenticated": True, "user": user}}


def verify_token(token: str, cluster: str, *, secret_of: SecretOf, now: datetime) -> str:
    """The caller's ARN; raises TokenError unless the token is whole, fresh, signed by the caller and for this cluster."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > MAXIMUM_TOKEN_BYTES:
        raise TokenError("not a token of `aws eks get-token`")
    encoded = token.removeprefix(TOKEN_PREFIX)
    try:
        address = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
        query = dict(parse_qsl(address.query, keep_blank_values=True, strict_parsing=True))
        signed_at = datetime.strptime(query["X-Amz-Date"], DATE_FORMAT).replace(tzinfo=UTC)
        access_key, date, region, service, _ = query["X-Amz-Credential"].split("/")
        signature = query.pop("X-Amz-Signature")
        signed_headers = query["X-Amz-SignedHeaders"].split(";")
    except (ValueError, KeyError) as error:
        raise TokenError(f"malformed token: {error}") from error
    if query.get("Action") != "GetCallerIdentity" or query.get("X-Amz-Algorithm") != ALGORITHM or service != "sts":
        raise TokenError("the token is not a signed GetCallerIdentity request")
    if CLUSTER_HEADER not in signed_headers or "host" not in signed_headers:
        raise TokenError(f"the token does not sign the headers host and {CLUSTER_HEADER}")
    if not signed_at - CLOCK_SKEW <= now <= signed_at + LIFETIME:
        raise TokenError(f"the token was signed at {signed_at:%H:%M:%S} and is good for 15 minutes")
    found = secret_of(access_key)
    if found is None:
        raise TokenError(f"access key {access_key} is not known to the sandbox")
    caller, secret = found
    headers = {"host": address.netloc, CLUSTER_HEADER: cluster}
    if set(signed_headers) - set(headers):
        raise TokenError(f"the token signs headers that it does not carry: {', '.join(signed_headers)}")
    request = _canonical_request(address.path, query, {name: headers[name] for name in signed_headers})
    scope = f"{date}/{region}/{service}/aws4_request"
    expected = _signature(secret, scope, query["X-Amz-Date"], request)
    if not hmac.compare_digest(expected, signature):
        raise TokenError(f"the signature is wrong, or the token is for another cluster than {cluster}")
    return caller


def _canonical_request(path: str, query: dict[str, str], headers: dict[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    header_lines = "".join(f"{name}:{value.strip()}\n" for name, value in sorted(headers.items()))
    return "\n".join(
        [
            "GET",
            path or "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            header_lines,
            ";".join(sorted(headers)),
            hashlib.sha256(b"").hexdigest(),
        ]
    )


def _signature(secret: str, scope: str, timestamp: str, request: str) -> str:
    text = "\n".join([ALGORITHM, timestamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def decode_request(body: bytes) -> dict[str, Any]:
    """The TokenReview in a request's body; an empty one when it is none."""
    try:
        value: Any = json.loads(body)
    except ValueError:
        return {}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
