"""Log groups that an AWS service writes to: made before the service makes one of its own, which never expires and is left behind."""

import pulumi
import pulumi_aws as aws

from .errors import ArgsError

# source: PutRetentionPolicy API page, 2026
_MONTHS_TO_YEARS = (60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, *_MONTHS_TO_YEARS)
"""What CloudWatch Logs accepts."""


def check_retention(days: int) -> None:
    """Raises ArgsError unless CloudWatch Logs accepts the number."""
    if days not in RETENTION_DAYS:
        raise ArgsError("log_retention_days", got=days, want=f"one of {RETENTION_DAYS}")


def build_log_group(
    name: str, *, path: str, key_arn: pulumi.Input[str], retention_days: int, opts: pulumi.ResourceOptions
) -> aws.cloudwatch.LogGroup:
    """An encrypted log group of the name that the service writes to. The service's resource depends on it."""
    return aws.cloudwatch.LogGroup(name, name=path, kms_key_id=key_arn, retention_in_days=retention_days, opts=opts)
