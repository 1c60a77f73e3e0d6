# pyright: reportPrivateImportUsage=false
# securesystemslib names in its documentation what it does not declare as exported.
"""The key that signs attestations: an asymmetric one of KMS. Its private half never leaves KMS."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from securesystemslib.exceptions import Error
from securesystemslib.signer import AWSSigner, SSlibKey

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.adapters.aws import aws_errors
from slipway.delivery.adapters.aws import client as aws_client
from slipway.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class KmsSigner(AWSSigner):
    """securesystemslib's signer with our bounded client in the key's region; it would make one of the default region."""

    def __init__(self, key: SupplyChain, public_key: SSlibKey, region: str) -> None:
        # Not the parent's: it makes a client, and fails where no default region is set.
        self.aws_key_id = key.key
        self._public_key = public_key
        self.client: KMSClient = aws_client("kms", key.key_region or region)
        self.aws_algo = self.aws_algos[public_key.scheme]


def load_public_key(key: SupplyChain, region: str) -> SSlibKey:
    """The key that is trusted: the pinned one, or what KMS has under the name. UsageError when it cannot verify anything."""
    try:
        if key.public_key:
            return SSlibKey.from_crypto(load_pem_public_key(key.public_key.encode()))
        client: KMSClient = aws_client("kms", key.key_region or region)
        with aws_errors(f"read the public key of {key.key}"), _missing_key(client, key):
            return SSlibKey.from_crypto(load_der_public_key(client.get_public_key(KeyId=key.key)["PublicKey"]))
    except (ValueError, UnsupportedAlgorithm, Error) as error:
        raise UsageError(
            f"{'its public key' if key.public_key else key.key} verifies no signatures: {error}",
            where="slipway:supplyChain",
            remedy="name an asymmetric KMS key of the type ECC_NIST_P256",
        ) from error


@contextmanager
def _missing_key(client: KMSClient, key: SupplyChain) -> Generator[None]:
    try:
        yield
    except client.exceptions.NotFoundException:
        raise UsageError(
            f"KMS has no key {key.key}",
            where="slipway:supplyChain.key",
            remedy="run `slipway bootstrap` for the environment that builds images, or name the key of its account by ARN",
        ) from None
