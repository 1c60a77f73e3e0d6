"""The IAM actions of an operation. Most have the operation's name; the tables hold the others.

Source: "Actions, resources, and condition keys for AWS services", Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from slipway.sandbox.aws.iam.requests import ApiCall

FREE = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")})
"""Operations that need no permission. A Deny has no effect on them either, for GetCallerIdentity."""

_S3_CONFIGURATIONS = ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
_S3 = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "DeleteObjects": "DeleteObject",
    "HeadObject": "GetObject",
    "SelectObjectContent": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListParts": "ListMultipartUploadParts",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    **{f"GetBucket{kind}Configuration": f"Get{kind}Configuration" for kind in _S3_CONFIGURATIONS},
    **{f"ListBucket{kind}Configurations": f"Get{kind}Configuration" for kind in _S3_CONFIGURATIONS},
    **{f"PutBucket{kind}Configuration": f"Put{kind}Configuration" for kind in _S3_CONFIGURATIONS},
    **{f"DeleteBucket{kind}Configuration": f"Put{kind}Configuration" for kind in _S3_CONFIGURATIONS},
}
VERSIONED = {
    name: name.replace("Object", "ObjectVersion", 1)
    for name in (
        "GetObject", "GetObjectAcl", "GetObjectAttributes", "GetObjectTagging", "DeleteObject", "DeleteObjectTagging",
        "PutObjectAcl", "PutObjectTagging",
    )
}  # fmt: skip
"""What S3's actions become when the request names a version."""
_NAMES: Mapping[str, Mapping[str, str]] = {
    "s3": _S3,
    "s3control": {
        "DeletePublicAccessBlock": "PutAccountPublicAccessBlock",
        "GetPublicAccessBlock": "GetAccountPublicAccessBlock",
        "PutPublicAccessBlock": "PutAccountPublicAccessBlock",
    },
    "acm": {
        "TagResource": "AddTagsToCertificate",
        "UntagResource": "RemoveTagsFromCertificate",
        "ListTagsForResource": "ListTagsForCertificate",
    },
    "lambda": {"Invoke": "InvokeFunction"},
    "sns": {"PublishBatch": "Publish"},
    "sqs": {
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
        "DeleteMessageBatch": "DeleteMessage",
        "SendMessageBatch": "SendMessage",
    },
}


def action_of(call: ApiCall) -> str:
    """The action of a call without its prefix. Operations that need several are in `slipway.sandbox.aws.iam.resources`."""
    name = operation_action(call.service, call.operation)
    if call.service == "s3" and call.parameters.get("VersionId"):
        return VERSIONED.get(name, name)
    return name


def operation_action(service: str, operation: str) -> str:
    """The action of an operation, whatever its parameters."""
    return _NAMES.get(service, {}).get(operation, operation)
