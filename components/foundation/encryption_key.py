"""A key of a component's own, with its alias."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from .policy_document import Statement, render_key_policy


def build_key(
    name: str,
    *,
    purpose: str,
    account_id: str,
    statements: Sequence[Statement] = (),
    alias: str = "",
    opts: pulumi.ResourceOptions,
) -> aws.kms.Key:
    """A rotating key `alias/slipway-<alias, or name>` (1 USD a month). It is protected: without it, what it encrypted is lost."""
    key = aws.kms.Key(
        f"{name}-key",
        description=purpose,
        enable_key_rotation=True,
        deletion_window_in_days=30,
        policy=render_key_policy(account_id, statements),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(protect=True)),
    )
    aws.kms.Alias(f"{name}-key-alias", name=f"alias/slipway-{alias or name}", target_key_id=key.key_id, opts=opts)
    return key
