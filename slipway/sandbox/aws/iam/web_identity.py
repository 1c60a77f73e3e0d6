"""AssumeRoleWithWebIdentity: the token of an OpenID Connect provider, and the trust policy that it must meet.

Source: "AssumeRoleWithWebIdentity", STS API reference; "Create a role for OpenID Connect federation", IAM User Guide.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from moto.iam.models import iam_backends

from slipway.sandbox.aws.callers import PARTITION
from slipway.sandbox.aws.iam.documents import PolicyError
from slipway.sandbox.aws.iam.enforcement import decide
from slipway.sandbox.aws.iam.judge import Principal
from slipway.sandbox.aws.iam.principals import Identity
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.iam.resources import needs_of
from slipway.sandbox.aws.iam.sessions import SessionDetails
from slipway.sandbox.aws.lock import API_LOCK

ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
TIMEOUT_SECONDS = 5
LONGEST_ANSWER_SECONDS = 10
"""An issuer that sends a little every second must not hold a thread for good."""
LARGEST_ANSWER_BYTES = 1 << 20
LOOPBACK = frozenset({"127.0.0.1", "localhost"})

KeysOf = Callable[[str], dict[str, Any]]
"""From an issuer to its keys, as a JSON Web Key Set."""


class WebIdentityError(Exception):
    """The token is not good for the role. `code` is STS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def fetch_keys(issuer: str) -> dict[str, Any]:
    """As OpenID Connect Discovery has it. Plain HTTP is for issuers on this machine."""
    try:
        _check_address(issuer, of="the issuer of the token")
        with httpx.Client(timeout=TIMEOUT_SECONDS, headers={"Accept-Encoding": "identity"}) as client:
            found = _get_json(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            keys_address = str(found["jwks_uri"])
            _check_address(keys_address, of="the issuer's jwks_uri", plain=urlsplit(issuer).hostname in LOOPBACK)
            return _get_json(client, keys_address)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, RecursionError) as error:
        raise WebIdentityError(
            "IDPCommunicationError", f"Couldn't retrieve verification key from your identity provider: {error}"
        ) from error


def _check_address(text: str, *, of: str, plain: bool = True) -> None:
    """HTTPS, or where `plain` is true HTTP to this machine: an issuer elsewhere is not to have the sandbox ask this machine's services."""
    address = urlsplit(text)
    if address.scheme != "https" and not (plain and address.scheme == "http" and address.hostname in LOOPBACK):
        raise WebIdentityError("InvalidIdentityToken", f"{of} does not use HTTPS")


def _get_json(client: httpx.Client, address: str) -> dict[str, Any]:
    """The object at an address, of which no more than LARGEST_ANSWER_BYTES are read. Raises ValueError for anything else."""
    with client.stream("GET", address) as answer:
        answer.raise_for_status()
        body, until = b"", time.monotonic() + LONGEST_ANSWER_SECONDS
        for part in answer.iter_bytes():
            body += part
            if len(body) > LARGEST_ANSWER_BYTES or time.monotonic() > until:
                raise ValueError(f"{address} answers with too much, or too slowly")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"{address} does not answer with an object")
    return cast(dict[str, Any], found)


def check_web_identity(call: ApiCall, now: datetime, keys_of: KeysOf = fetch_keys) -> SessionDetails:
    """What the token of a call proves about its session. Raises WebIdentityError."""
    role = str(call.parameters.get("RoleArn") or "")
    token = str(call.parameters.get("WebIdentityToken") or "")
    issuer = str(_unverified(token).get("iss") or "")
    with API_LOCK:
        provider = _provider(issuer, role)
    if provider is None:
        raise WebIdentityError("InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + issuer)
    claims = _verified(token, keys_of(issuer), now)
    audiences = _texts(claims.get("azp") or claims.get("aud"))
    if not set(audiences) & set(provider.client_id_list):
        raise WebIdentityError("InvalidIdentityToken", "Incorrect token audience")
    arn = str(provider.arn)
    keys = {f"{provider.url}:{name}".lower(): _texts(value) for name, value in claims.items() if name != "aud"}
    identity = Identity(
        principal=Principal(arn=arn, account="", federated=arn),
        policies=(),
        keys={**keys, f"{provider.url}:aud".lower(): audiences, "aws:federatedprovider": (arn,)},
    )
    with API_LOCK:
        try:
            allowed = all(decide(call, need, identity).allowed for need in needs_of(call))
        except PolicyError:
            allowed = False
    if not allowed:
        raise WebIdentityError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    return SessionDetails(provider=arn)


def _provider(issuer: str, role: str) -> Any | None:
    """The provider that the role's account has for an issuer."""
    account = role.split(":")[4] if role.count(":") >= 5 else ""
    if account not in iam_backends:
        return None
    address = issuer.partition("://")[2].rstrip("/")
    providers: Any = iam_backends[account][PARTITION].open_id_providers.values()
    return next((each for each in providers if address and each.url.rstrip("/") == address), None)


def _unverified(token: str) -> dict[str, Any]:
    """The claims, to learn who is to be asked for the key."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, RecursionError) as error:
        raise WebIdentityError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from error
    return cast(dict[str, Any], claims) if isinstance(claims, dict) else {}


def _verified(token: str, keys: dict[str, Any], now: datetime) -> dict[str, Any]:
    try:
        claims = jwt.decode(token, KeySet.import_key_set(cast(Any, keys)), algorithms=ALGORITHMS).claims
        expires = float(claims.get("exp", 0))
    except (JoseError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise WebIdentityError("InvalidIdentityToken", "The token's signature is not the provider's") from error
    if expires <= now.timestamp():
        raise WebIdentityError(
            "ExpiredTokenException", "Token expired: current date/time must be before the expiration"
        )
    return dict(claims)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(each) for each in cast(list[object], value))
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return () if value is None or isinstance(value, dict) else (str(value),)
