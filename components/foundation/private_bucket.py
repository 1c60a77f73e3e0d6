"""What makes a bucket of the foundation private, versioned and encrypted."""

from collections.abc import Callable, Sequence

import pulumi
import pulumi_aws as aws

from .policy_document import Statement, deny, render


def keep_private(
    name: str,
    bucket: aws.s3.Bucket,
    key_arn: pulumi.Input[str],
    parent: pulumi.Resource,
    access: Callable[[str], Sequence[Statement]] = lambda _: (),
) -> tuple[aws.s3.BucketVersioning, aws.s3.BucketPolicy]:
    """Block public access, keep versions, encrypt with the key, refuse requests without TLS. `access`: what the policy says besides, by
    the bucket's ARN. Returns what lifecycle and lock rules, and writers, have to wait for."""
    child = pulumi.ResourceOptions(parent=parent)
    private = aws.s3.BucketPublicAccessBlock(
        f"{name}-private",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    versions = aws.s3.BucketVersioning(
        f"{name}-versions",
        bucket=bucket.id,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=child,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.id,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                    sse_algorithm="aws:kms", kms_master_key_id=key_arn
                ),
                bucket_key_enabled=True,
            )
        ],
        opts=child,
    )
    policy = aws.s3.BucketPolicy(
        f"{name}-access",
        bucket=bucket.id,
        policy=bucket.arn.apply(lambda arn: render([*access(arn), _only_by_tls(arn)])),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[private]),
    )
    return versions, policy


def _only_by_tls(bucket_arn: str) -> Statement:
    return deny(
        "OnlyByTls",
        ["s3:*"],
        [bucket_arn, f"{bucket_arn}/*"],
        principal={"AWS": "*"},
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
