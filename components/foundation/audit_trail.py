"""Who did what in an account: its trail, written to the organisation's archive."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class AuditTrailArgs:
    """Where an account's trail is written."""

    trail_name: str
    """The name that the archive lets in."""
    bucket_name: pulumi.Input[str]
    """The archive's bucket."""
    key_arn: pulumi.Input[str]
    """The archive's key."""


class AuditTrail(pulumi.ComponentResource):
    """A trail of everything that changes or reads an account's resources, in all regions, with digests that show a change of a log.

    Creates: CloudTrail trail (the first of an account costs nothing).
    Not: reads and writes of data in S3, DynamoDB and Lambda, which cost by their number.
    Outputs: trail_arn - known after apply.
    """

    trail_arn: pulumi.Output[str]

    def __init__(self, name: str, args: AuditTrailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:AuditTrail", name, None, opts)
        trail = aws.cloudtrail.Trail(
            f"{name}-trail",
            name=args.trail_name,
            s3_bucket_name=args.bucket_name,
            kms_key_id=args.key_arn,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.trail_arn = trail.arn
        self.register_outputs({"trailArn": self.trail_arn})
