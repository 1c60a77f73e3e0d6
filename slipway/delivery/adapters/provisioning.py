"""What must exist before the first stack: the ledger's table, and for real accounts a bucket and a key for Pulumi's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from slipway.delivery.adapters.aws import aws_errors
from slipway.delivery.adapters.aws import client as aws_client
from slipway.delivery.ports import StateBackend

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

KEY_ALIAS = "alias/slipway-state"


class AwsProvisioner:
    """Implements `ports.Provisioner` in the caller's account."""

    def __init__(self, table: str, region: str) -> None:
        self._table, self._region = table, region

    def ensure_table(self, *, deletion_protection: bool) -> bool:
        """See `Provisioner.ensure_table`."""
        return ensure_table(self._table, self._region, deletion_protection=deletion_protection)

    def ensure_state_backend(self, bucket: str) -> StateBackend:
        """See `Provisioner.ensure_state_backend`."""
        return ensure_state_backend(bucket, self._region)

    def ensure_signing_key(self, alias: str) -> bool:
        """See `Provisioner.ensure_signing_key`."""
        return ensure_signing_key(alias, self._region)


def ensure_table(name: str, region: str, *, deletion_protection: bool) -> bool:
    """The ledger's table: on demand, encrypted, with point-in-time recovery. True when it was made now; repeating is harmless.

    An older table gets the deletion protection too; it is never taken away.
    """
    client: DynamoDBClient = aws_client("dynamodb", region)
    with aws_errors(f"make the ledger's table {name}"):
        made = _create_table(client, name, deletion_protection=deletion_protection)
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        if deletion_protection and not client.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
            client.update_table(TableName=name, DeletionProtectionEnabled=True)
        recovery = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        if recovery.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
            # A table that was just made refuses for up to about a minute.
            attempts = Retrying(
                retry=retry_if_exception_type(client.exceptions.ContinuousBackupsUnavailableException),
                wait=wait_exponential(max=16),
                stop=stop_after_attempt(9),
                reraise=True,
            )
            attempts(
                client.update_continuous_backups,
                TableName=name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
    return made


def _create_table(client: DynamoDBClient, name: str, *, deletion_protection: bool) -> bool:
    try:
        client.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
            SSESpecification={"Enabled": True, "SSEType": "KMS"},
            DeletionProtectionEnabled=deletion_protection,
            Tags=[{"Key": "managed-by", "Value": "slipway"}],
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ResourceInUseException":
            raise
        return False
    return True


def ensure_state_backend(bucket: str, region: str) -> StateBackend:
    """A versioned, encrypted, private bucket for state and a rotating key for its secrets. Repeating is harmless."""
    with aws_errors(f"make the state bucket {bucket}"):
        key_id = _ensure_key(region)
        client: S3Client = aws_client("s3", region)
        _create_bucket(client, bucket, region)
        client.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        client.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [
                    {
                        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id},
                        "BucketKeyEnabled": True,
                    }
                ]
            },
        )
    return StateBackend(
        backend_url=f"s3://{bucket}?region={region}", secrets_provider=f"awskms://{KEY_ALIAS}?region={region}"
    )


def _create_bucket(client: S3Client, bucket: str, region: str) -> None:
    # us-east-1 is the one region that must not be named.
    place: dict[str, Any] = (
        {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    try:
        client.create_bucket(Bucket=bucket, **place)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "BucketAlreadyOwnedByYou":
            raise


def ensure_signing_key(alias: str, region: str) -> bool:
    """An asymmetric key under `alias`; True when it was made now. Repeating is harmless."""
    client: KMSClient = aws_client("kms", region)
    with aws_errors(f"make the signing key {alias}"):
        if _find_key(client, alias):
            return False
        key_id = client.create_key(
            Description="Signs provenance and bills of materials of images",
            KeySpec="ECC_NIST_P256",
            KeyUsage="SIGN_VERIFY",
            Tags=[{"TagKey": "managed-by", "TagValue": "slipway"}],
        )["KeyMetadata"]["KeyId"]
        client.create_alias(AliasName=alias, TargetKeyId=key_id)
    return True


def _find_key(client: KMSClient, name: str) -> str | None:
    for page in client.get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if alias.get("AliasName") == name and alias.get("TargetKeyId"):
                return alias.get("TargetKeyId")
    return None


def _ensure_key(region: str) -> str:
    client: KMSClient = aws_client("kms", region)
    found = _find_key(client, KEY_ALIAS)
    if found:
        return found
    key_id = client.create_key(
        Description="Secrets in Pulumi's state", Tags=[{"TagKey": "managed-by", "TagValue": "slipway"}]
    )["KeyMetadata"]["KeyId"]
    client.enable_key_rotation(KeyId=key_id)
    client.create_alias(AliasName=KEY_ALIAS, TargetKeyId=key_id)
    return key_id
