"""Credentials of the image registry, as ECR's: the user AWS, and as password a token that says what it is good for and until when.

Tokens are signed (JWT, ES256) with a key that root alone reads. The registry's proxy checks them with the public half and asks nobody,
so that images are pulled and pushed while the daemon is away.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from slipway.sandbox.paths import SandboxPaths, ensure_secret, private_folder

USER = "AWS"
ALGORITHM = "ES256"
PUSH, PULL = "push", "pull"
"""What a token is good for, its claim `right`. Push includes pull."""
LIFETIME = timedelta(hours=12)
"""As ECR's."""
PULL_LIFETIME = timedelta(days=3650)
"""Of a node's, which is in the configuration of its container runtime; as long as its certificates."""


class RegistryAccess:
    """Issues and checks the credentials of one sandbox; a reset forgets the key, and with it all that was issued."""

    def __init__(self, paths: SandboxPaths) -> None:
        self._folder = paths.sandbox / "registry-access"

    def public_key(self) -> bytes:
        """The half that checks, in PEM."""
        return self._key().as_pem(private=False)

    def token(self, now: datetime, *, push: bool) -> tuple[str, datetime]:
        """What GetAuthorizationToken gives, and when it ends. It is for all repositories: the registry knows no single ones."""
        return self._token(PUSH if push else PULL, now + LIFETIME), now + LIFETIME

    def pull_credentials(self) -> dict[str, str]:
        """User and password for nodes and engines, which write nothing; named as the Docker SDK does."""
        return {"username": USER, "password": self._token(PULL, datetime.now(UTC) + PULL_LIFETIME)}

    def right_of(self, authorization: str) -> str | None:
        """PUSH, PULL, or None for a header `Authorization` without a token that is good now."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
            claims = jwt.decode(token, self._key(), algorithms=[ALGORITHM]).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        except (binascii.Error, UnicodeDecodeError, ValueError, JoseError):
            return None
        return str(claims.get("right")) if scheme.lower() == "basic" and user == USER else None

    def _token(self, right: str, end: datetime) -> str:
        return jwt.encode({"alg": ALGORITHM}, {"right": right, "exp": int(end.timestamp())}, self._key())

    def _key(self) -> ECKey:
        path = ensure_secret(
            private_folder(self._folder) / "key.pem", lambda: ECKey.generate_key("P-256").as_pem(private=True).decode()
        )
        return ECKey.import_key(path.read_text())
