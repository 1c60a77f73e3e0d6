"""KMS signs and verifies digests (`MessageType: DIGEST`) as AWS does. moto takes them for messages and hashes them again."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey

_is_digest: ContextVar[bool] = ContextVar("is_digest", default=False)


def take_digests() -> None:
    """From here on, moto's keys tell digests from messages."""
    KmsResponse.sign = _telling(KmsResponse.sign)
    KmsResponse.verify = _telling(KmsResponse.verify)
    hash_of: Any = vars(ECDSAPrivateKey)["_ECDSAPrivateKey__hash_algorithm"]
    padding_and_hash_of: Any = vars(RSAPrivateKey)["_RSAPrivateKey__padding_and_hash_algorithm"]

    def ecdsa(self: ECDSAPrivateKey, algorithm: str) -> Any:
        return _as_given(hash_of(self, algorithm))

    def rsa(self: RSAPrivateKey, algorithm: str) -> Any:
        padding, hashing = padding_and_hash_of(self, algorithm)
        return padding, _as_given(hashing)

    for kind, name, method in (
        (ECDSAPrivateKey, "_ECDSAPrivateKey__hash_algorithm", ecdsa),
        (RSAPrivateKey, "_RSAPrivateKey__padding_and_hash_algorithm", rsa),
    ):
        setattr(kind, name, method)


def _telling(original: Any) -> Any:
    """The action, with what its message is known to the key."""

    def action(self: KmsResponse) -> str:
        token = _is_digest.set(self._get_param("MessageType") == "DIGEST")
        try:
            return original(self)
        except ValueError as error:  # cryptography's: the digest has another length than the algorithm's
            raise ValidationException(
                f"Digest is invalid length for algorithm {self._get_param('SigningAlgorithm')}."
            ) from error
        finally:
            _is_digest.reset(token)

    return action


def _as_given(hashing: Any) -> Any:
    return Prehashed(hashing) if _is_digest.get() else hashing
