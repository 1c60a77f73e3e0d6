"""KMS refuses what a key's state or usage does not allow, and says which key is not there. moto takes most of it, or breaks on it."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend, kms_backends
from moto.kms.responses import KmsResponse

from slipway.sandbox.aws.iam.known import key_of_ciphertext

USES = {
    "ENCRYPT_DECRYPT": {
        "encrypt",
        "decrypt",
        "re_encrypt",
        "generate_data_key",
        "generate_data_key_without_plaintext",
    },
    "SIGN_VERIFY": {"sign", "verify"},
    "GENERATE_VERIFY_MAC": {"generate_mac", "verify_mac"},
}
"""Which operations a key of each usage is for."""
ROTATION = {"enable_key_rotation", "disable_key_rotation", "rotate_key_on_demand"}
GRANTS = {"list_grants", "revoke_grant"}
ENABLED_ONLY = {*set[str]().union(*USES.values()), *ROTATION, "create_grant", "get_public_key", "replicate_key"}
"""What a disabled key is refused for. Source: KMS's developer guide, "Key states of AWS KMS keys"; so are the next two."""
NOT_PENDING = ENABLED_ONLY | {
    *("create_alias", "update_alias", "enable_key", "disable_key", "schedule_key_deletion", "get_key_rotation_status"),
    *("tag_resource", "untag_resource", "update_key_description"),
}
"""What a key that waits for its deletion is refused for."""
PENDING_ONLY = {"cancel_key_deletion"}
PENDING = "PendingDeletion"
BY_ID = ("enable_key", "disable_key", "cancel_key_deletion", "schedule_key_deletion")
"""moto's methods that take a key's id and are given its ARN as well."""


class KmsError(JsonRESTError):
    """An error by its code, as KMS's API names it."""

    code = 400


def check_states() -> None:
    """From here on, KMS refuses as AWS's does."""
    for name in NOT_PENDING | PENDING_ONLY | GRANTS:
        setattr(KmsResponse, name, _checked(name, getattr(KmsResponse, name)))
    for name in BY_ID:
        setattr(KmsBackend, name, _by_id(getattr(KmsBackend, name)))


def _checked(name: str, original: Callable[[KmsResponse], str]) -> Callable[[KmsResponse], str]:
    def action(self: KmsResponse) -> str:
        for key in _keys(self, name):
            _check(key, name)
        return original(self)

    return action


def _keys(asked: KmsResponse, name: str) -> list[Any]:
    """moto's keys that the operation uses; NotFoundException for one that is not there."""
    backend: Any = kms_backends[asked.current_account][asked.region]
    parameters = ("TargetKeyId",) if name.endswith("_alias") else ("DestinationKeyId", "SourceKeyId", "KeyId")
    named = [str(given) for parameter in parameters if (given := asked._get_param(parameter))]
    for each in named:
        # Which of its four names an operation takes is looked at by moto.
        asked._validate_key_id(each)
    if name in {"decrypt", "re_encrypt"}:
        named.append(key_of_ciphertext(asked._get_param("CiphertextBlob")))
    found = [backend.keys.get(backend.any_id_to_key_id(each)) for each in named if each]
    return [key for key in found if key is not None]


def _check(key: Any, name: str) -> None:
    if key.key_state == PENDING and name in NOT_PENDING:
        raise KmsError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if key.key_state != PENDING and name in PENDING_ONLY:
        raise KmsError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    if key.key_state == "Disabled" and name in ENABLED_ONLY:
        raise KmsError("DisabledException", f"{key.arn} is disabled.")
    usage = key.key_usage or "ENCRYPT_DECRYPT"
    if any(name in uses and usage != each for each, uses in USES.items()):
        raise KmsError("InvalidKeyUsageException", f"{key.arn} key usage is {usage} which is not valid for {name}.")
    symmetric = key.key_spec == "SYMMETRIC_DEFAULT"
    if (name in ROTATION and not symmetric) or (
        name == "get_public_key" and (symmetric or key.key_spec.startswith("HMAC"))
    ):
        raise KmsError(
            "UnsupportedOperationException", f"{key.arn} is of the spec {key.key_spec}, which does not support this."
        )


def _by_id(original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: KmsBackend, key_id: str, *more: Any, **named: Any) -> Any:
        return original(self, self.get_key_id(key_id), *more, **named)

    return method
