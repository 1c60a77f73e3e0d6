"""What Pulumi itself needs before the first stack: a bucket and a key for its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from slipway.delivery.adapters.aws import aws_errors
from slipway.delivery.adapters.aws import client as aws_client

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

KEY_ALIAS = "alias/slipway-state"


@dataclass(frozen=True, kw_only=True)
class StateBackend:
    """Where Pulumi's state is kept, as PULUMI_BACKEND_URL and `secretsprovider` want it."""

    backend_url: str
    secrets_provider: str


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


def _ensure_key(region: str) -> str:
    client: KMSClient = aws_client("kms", region)
    for page in client.get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if alias.get("AliasName") == KEY_ALIAS and alias.get("TargetKeyId"):
                return alias.get("TargetKeyId", "")
    key_id = client.create_key(
        Description="Secrets in Pulumi's state", Tags=[{"TagKey": "managed-by", "TagValue": "slipway"}]
    )["KeyMetadata"]["KeyId"]
    client.enable_key_rotation(KeyId=key_id)
    client.create_alias(AliasName=KEY_ALIAS, TargetKeyId=key_id)
    return key_id
