"""The providers that the program names; default ones are disabled in Pulumi.yaml."""

import pulumi
import pulumi_aws as aws

from foundation.settings import FoundationSettings


def build_aws_provider(settings: FoundationSettings, account_id: str, region: str) -> aws.Provider:
    """One account: the caller's own, or one in which the caller takes on the access role. Credentials of another are refused."""
    tags = {
        "environment": pulumi.get_stack(),
        "service": "foundation",
        "owner": settings.owner,
        "managed-by": "slipway",
    }
    access = aws.ProviderAssumeRoleArgs(
        role_arn=f"arn:aws:iam::{account_id}:role/{settings.access_role}", session_name="slipway-foundation"
    )
    return aws.Provider(
        f"aws-{account_id}",
        region=region,
        allowed_account_ids=[account_id],
        assume_roles=[] if account_id == settings.account_id else [access],
        default_tags=aws.ProviderDefaultTagsArgs(tags=tags),
    )
