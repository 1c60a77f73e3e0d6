"""What KMS refuses, by the error that its API names for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.identities import Identities, allow

MISSING = "11111111-2222-3333-4444-555555555555"
GRANT = {"GranteePrincipal": "arn:aws:iam::123456789012:root", "Operations": ["Decrypt"]}
SIGNED: dict[str, Any] = {"Message": b"a", "SigningAlgorithm": "ECDSA_SHA_256"}
ASYMMETRIC = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
ON_MISSING: list[tuple[str, dict[str, Any]]] = [
    ("describe_key", {}),
    ("create_grant", GRANT),
    ("list_grants", {}),
    ("revoke_grant", {"GrantId": "a" * 64}),
    ("schedule_key_deletion", {}),
    ("disable_key", {}),
    ("encrypt", {"Plaintext": b"a"}),
    ("sign", SIGNED),
    ("get_key_policy", {}),
    ("tag_resource", {"Tags": []}),
]
ON_DISABLED: list[tuple[str, dict[str, Any]]] = [
    ("encrypt", {"Plaintext": b"a"}),
    ("generate_data_key", {"KeySpec": "AES_256"}),
    ("enable_key_rotation", {}),
    ("create_grant", GRANT),
]
ON_PENDING: list[tuple[str, dict[str, Any]]] = [
    *ON_DISABLED,
    ("schedule_key_deletion", {}),
    ("enable_key", {}),
    ("disable_key", {}),
    ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    ("update_key_description", {"Description": "a"}),
    ("get_key_rotation_status", {}),
]


def refusal(kms: Any, operation: str, **arguments: Any) -> str:
    """The error's code; one that the operation may answer by botocore's model of it, or every operation may."""
    with pytest.raises(ClientError) as caught:
        getattr(kms, operation)(**arguments)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    code = answer["Error"]["Code"]
    model = botocore.session.get_session().get_service_model("kms")
    named = {shape.name for shape in model.operation_model(kms.meta.method_to_api_mapping[operation]).error_shapes}
    assert code in named | {"ValidationException"}
    return code


@pytest.fixture
def kms(aws: Callable[..., Any]) -> Any:
    return aws("kms")


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.mark.parametrize(("operation", "arguments"), ON_MISSING)
def test_key_that_is_not_there_is_not_found(kms: Any, operation: str, arguments: dict[str, Any]) -> None:
    assert refusal(kms, operation, KeyId=MISSING, **arguments) == "NotFoundException"


def test_alias_that_is_not_there_is_not_found_by_its_owner_nor_by_others(
    kms: Any, key: str, name: str, identities: Identities
) -> None:
    user = identities.user(allow("kms:*"))("kms")
    for client in (kms, user):
        assert refusal(client, "update_alias", AliasName=f"alias/{name}", TargetKeyId=key) == "NotFoundException"
        assert refusal(client, "delete_alias", AliasName=f"alias/{name}") == "NotFoundException"
    assert refusal(kms, "encrypt", KeyId=f"alias/{name}", Plaintext=b"a") == "NotFoundException"
    assert refusal(kms, "create_alias", AliasName=f"alias/{name}", TargetKeyId=MISSING) == "NotFoundException"
    with pytest.raises(ClientError, match="AccessDenied"):  # no policy of a key says otherwise
        user.encrypt(KeyId=f"alias/{name}", Plaintext=b"a")
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    assert refusal(kms, "create_alias", AliasName=f"alias/{name}", TargetKeyId=key) == "AlreadyExistsException"
    kms.update_alias(AliasName=f"alias/{name}", TargetKeyId=key)


def test_disabled_key_is_used_for_nothing_until_it_is_enabled(kms: Any, key: str) -> None:
    ciphertext = kms.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert {refusal(kms, operation, KeyId=key, **arguments) for operation, arguments in ON_DISABLED} == {
        "DisabledException"
    }
    assert refusal(kms, "decrypt", CiphertextBlob=ciphertext) == "DisabledException"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"] == b"a"


def test_key_that_waits_for_its_deletion_is_used_and_changed_for_nothing(kms: Any, key: str, name: str) -> None:
    ciphertext = kms.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    assert refusal(kms, "cancel_key_deletion", KeyId=key) == "KMSInvalidStateException"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    found = {refusal(kms, operation, KeyId=key, **arguments) for operation, arguments in ON_PENDING}
    assert found == {"KMSInvalidStateException"}
    assert refusal(kms, "decrypt", CiphertextBlob=ciphertext) == "KMSInvalidStateException"
    assert refusal(kms, "create_alias", AliasName=f"alias/{name}", TargetKeyId=key) == "KMSInvalidStateException"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_key_is_used_for_what_it_was_made_for(kms: Any, key: str) -> None:
    signing = kms.create_key(**ASYMMETRIC)["KeyMetadata"]["KeyId"]
    assert refusal(kms, "encrypt", KeyId=signing, Plaintext=b"a") == "InvalidKeyUsageException"
    assert refusal(kms, "sign", KeyId=key, **SIGNED) == "InvalidKeyUsageException"
    assert refusal(kms, "get_public_key", KeyId=key) == "UnsupportedOperationException"
    assert refusal(kms, "enable_key_rotation", KeyId=signing) == "UnsupportedOperationException"
    assert kms.sign(KeyId=signing, **SIGNED)["Signature"]


def test_grant_and_policy_that_cannot_be(kms: Any, key: str) -> None:
    assert refusal(kms, "revoke_grant", KeyId=key, GrantId="a" * 64) == "NotFoundException"
    for policy in ("no JSON", "[]", "{}"):
        asked = {"KeyId": key, "PolicyName": "default", "Policy": policy}
        assert refusal(kms, "put_key_policy", **asked) == "MalformedPolicyDocumentException"
        assert refusal(kms, "create_key", Policy=policy) == "MalformedPolicyDocumentException"
