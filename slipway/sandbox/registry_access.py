"""Credentials of the image registry, as ECR's: the user AWS, and as password a token that says what it is good for and until when.

Tokens are signed (JWT, ES256) with a key that root alone reads. The registry's proxy checks them with the public half and asks nobody,
so that images are pulled and pushed while the daemon is away. One that names its caller opens nothing by itself: its caller's rights are
looked at when it is used.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from slipway.sandbox.paths import SandboxPaths, ensure_secret, private_folder

USER = "AWS"
ALGORITHM = "ES256"
PUSH, PULL = "push", "pull"
"""What a token is good for, its claim `right`. Push includes pull."""
CALLER = "caller"
"""The claim with the caller."""
LIFETIME = timedelta(hours=12)
"""As ECR's."""
PULL_LIFETIME = timedelta(days=3650)
"""Of a node's, which is in the configuration of its container runtime; as long as its certificates."""


@dataclass(frozen=True)
class Right:
    """What credentials are good for."""

    kind: str
    """PUSH or PULL."""
    caller: str = ""
    """Access key of who asked for the token; empty for the sandbox's owner and its nodes, who may do `kind` everywhere."""


class RegistryAccess:
    """Issues and checks the credentials of one sandbox; a reset forgets the key, and with it all that was issued."""

    def __init__(self, paths: SandboxPaths) -> None:
        self._folder = paths.sandbox / "registry-access"

    def public_key(self) -> bytes:
        """The half that checks, in PEM."""
        return self._key().as_pem(private=False)

    def token(self, now: datetime, *, push: bool, caller: str = "") -> tuple[str, datetime]:
        """What GetAuthorizationToken gives, and when it ends. `caller`: see `Right`."""
        return self._token(Right(PUSH if push else PULL, caller), now + LIFETIME), now + LIFETIME

    def pull_credentials(self) -> dict[str, str]:
        """User and password for nodes and engines, which write nothing; named as the Docker SDK does."""
        return {"username": USER, "password": self._token(Right(PULL), datetime.now(UTC) + PULL_LIFETIME)}

    def right_of(self, authorization: str) -> Right | None:
        """None for a header `Authorization` without a token that is good now."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
            claims = jwt.decode(token, self._key(), algorithms=[ALGORITHM]).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        except (binascii.Error, UnicodeDecodeError, ValueError, JoseError):
            return None
        found = Right(str(claims.get("right")), str(claims.get(CALLER, "")))
        return found if scheme.lower() == "basic" and user == USER else None

    def _token(self, right: Right, end: datetime) -> str:
        claims: dict[str, str | int] = {"right": right.kind, "exp": int(end.timestamp())}
        return jwt.encode({"alg": ALGORITHM}, claims | ({CALLER: right.caller} if right.caller else {}), self._key())

    def _key(self) -> ECKey:
        path = ensure_secret(
            private_folder(self._folder) / "key.pem", lambda: ECKey.generate_key("P-256").as_pem(private=True).decode()
        )
        return ECKey.import_key(path.read_text())
