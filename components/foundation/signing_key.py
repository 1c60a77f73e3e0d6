"""The organisation's key that signs what images are made of and where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .ci_rights import SIGN, SIGNING_ALIAS, VERIFY
from .policy_document import accounts, allow, only_roles, render_key_policy


@dataclass(frozen=True, kw_only=True)
class SigningKeyArgs:
    """Who signs with the key, and who checks signatures."""

    account_id: str
    """The account of the key."""
    signer_role_arns: Sequence[str]
    """Roles that build images."""
    verifier_account_ids: Sequence[str]
    """Accounts whose roles read the public part, as far as their own policies let them."""


class SigningKey(pulumi.ComponentResource):
    """An asymmetric KMS key (ECC_NIST_P256) `alias/slipway-attestations`: its private part never leaves KMS.

    Creates: a KMS key with its alias (1 USD a month, 0.15 USD for 10,000 signatures).
    Outputs: key_arn - known after apply.
    Promises: the key is protected. Without it, images that it signed are no longer promoted, unless its public part was pinned.
    """

    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: SigningKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:SigningKey", name, None, opts)
        signers = sorted({arn.split(":")[4] for arn in args.signer_role_arns})
        statements = [allow("Verify", VERIFY, principal=accounts(args.verifier_account_ids))]
        if signers:
            by_roles = only_roles(args.signer_role_arns)
            statements.append(allow("Sign", SIGN, principal=accounts(signers), conditions=by_roles))
        key = aws.kms.Key(
            f"{name}-key",
            description="Signs provenance and bills of materials of images",
            customer_master_key_spec="ECC_NIST_P256",
            key_usage="SIGN_VERIFY",
            deletion_window_in_days=30,
            policy=render_key_policy(args.account_id, statements),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        aws.kms.Alias(
            f"{name}-key-alias",
            name=SIGNING_ALIAS,
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.key_arn = key.arn
        self.register_outputs({"keyArn": self.key_arn})
