"""Where the organisation's audit logs are kept: nobody can change or delete them before their time."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..errors import ArgsError
from .encryption_key import build_key
from .policy_document import Statement, accounts, allow
from .private_bucket import keep_private

CLOUDTRAIL = {"Service": "cloudtrail.amazonaws.com"}


@dataclass(frozen=True, kw_only=True)
class AuditArchiveArgs:
    """Whose logs are kept and for how long."""

    account_id: str
    """The account of the archive."""
    region: str
    """The home region of the trails."""
    trail_name: str
    """Name of the trail in each account."""
    trail_account_ids: Sequence[str]
    """Accounts whose trails write here; they may also read with the key."""
    retention_days: int = 365
    """Days for which an object cannot be deleted. Expired 30 days later."""

    def __post_init__(self) -> None:
        if not self.trail_account_ids:
            raise ArgsError("trail_account_ids", got=[], want="one account or more")
        if self.retention_days < 1:
            raise ArgsError("retention_days", got=self.retention_days, want="1 or more")


class AuditArchive(pulumi.ComponentResource):
    """A private, versioned, locked and encrypted bucket that the accounts' trails write to.

    Creates: S3 bucket (about 0.023 USD per GB and month), KMS key.
    Outputs: bucket_name, key_arn - known after apply; trails wait for them, and so for the policies that let them in.
    Errors: ArgsError on trail_account_ids and retention_days, before any resource.
    Promises: the lock is in governance mode: only who has `s3:BypassGovernanceRetention` can shorten it. The bucket is protected.
    """

    bucket_name: pulumi.Output[str]
    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: AuditArchiveArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:AuditArchive", name, None, opts)
        key = build_key(
            name,
            purpose="Audit logs of all accounts",
            account_id=args.account_id,
            statements=_key_use(args),
            opts=pulumi.ResourceOptions(parent=self),
        )
        bucket = aws.s3.Bucket(
            f"{name}-logs",
            object_lock_enabled=True,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        versions, policy = keep_private(name, bucket, key.arn, self, lambda arn: _access(args, arn))
        self._settings(name, args, bucket, pulumi.ResourceOptions(parent=self, depends_on=[versions]))
        self.bucket_name = policy.bucket
        self.key_arn = key.arn
        self.register_outputs({"bucketName": self.bucket_name, "keyArn": self.key_arn})

    def _settings(
        self, name: str, args: AuditArchiveArgs, bucket: aws.s3.Bucket, versioned: pulumi.ResourceOptions
    ) -> None:
        aws.s3.BucketObjectLockConfiguration(
            f"{name}-lock",
            bucket=bucket.id,
            rule=aws.s3.BucketObjectLockConfigurationRuleArgs(
                default_retention=aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                    mode="GOVERNANCE", days=args.retention_days
                )
            ),
            opts=versioned,
        )
        days = args.retention_days + 30
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-expiry",
            bucket=bucket.id,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
                    noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=30
                    ),
                    abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=7
                    ),
                )
            ],
            opts=versioned,
        )


def _trails(args: AuditArchiveArgs) -> list[str]:
    return [f"arn:aws:cloudtrail:{args.region}:{account}:trail/{args.trail_name}" for account in args.trail_account_ids]


def _key_use(args: AuditArchiveArgs) -> list[Statement]:
    """Source: CloudTrail user guide, "Configure AWS KMS key policies for CloudTrail", 2026: a bucket with a Bucket Key wants `Decrypt`,
    too, when the trail is made."""
    contexts = [f"arn:aws:cloudtrail:*:{account}:trail/*" for account in args.trail_account_ids]
    context = {"kms:EncryptionContext:aws:cloudtrail:arn": contexts}
    return [
        allow(
            "Encrypt",
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            principal=CLOUDTRAIL,
            conditions={"StringEquals": {"aws:SourceArn": _trails(args)}, "StringLike": context},
        ),
        allow(
            "Describe",
            ["kms:DescribeKey"],
            principal=CLOUDTRAIL,
            conditions={"StringEquals": {"aws:SourceArn": _trails(args)}},
        ),
        allow(
            "Decrypt",
            ["kms:Decrypt"],
            principal=accounts(args.trail_account_ids),
            conditions={"StringLike": context},
        ),
    ]


def _access(args: AuditArchiveArgs, bucket_arn: str) -> list[Statement]:
    """Source: CloudTrail user guide, "Amazon S3 bucket policy for CloudTrail", 2026."""
    from_trails = {"aws:SourceArn": _trails(args)}
    return [
        allow(
            "Look",
            ["s3:GetBucketAcl"],
            [bucket_arn],
            principal=CLOUDTRAIL,
            conditions={"StringEquals": from_trails},
        ),
        allow(
            "Write",
            ["s3:PutObject"],
            [f"{bucket_arn}/AWSLogs/{account}/*" for account in args.trail_account_ids],
            principal=CLOUDTRAIL,
            conditions={"StringEquals": {**from_trails, "s3:x-amz-acl": "bucket-owner-full-control"}},
        ),
    ]
