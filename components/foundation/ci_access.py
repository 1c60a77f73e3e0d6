"""Who GitHub's workflows are in an account: no stored keys, and for each environment one role that reads and one that deploys."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..errors import ArgsError
from .ci_rights import PODS_BOUNDARY
from .ci_roles import (
    GITHUB,
    REPOSITORY,
    CiEnvironment,
    groups_of,
    plan_pods_boundary,
    plan_rights,
    plan_trust,
    role_name,
)
from .policy_document import render

SESSION_SECONDS = {"preview": 3600, "deploy": 7200}
"""How long credentials last at most. A promotion's job may take two hours."""


@dataclass(frozen=True, kw_only=True)
class CiAccessArgs:
    """The environments of one account and the repository that delivers to them."""

    repository: str
    """The GitHub repository, as its tokens name it: `owner/name`, or `owner@123/name@456` (made, renamed or moved since July 2026)."""
    account_id: str
    """The environments' account."""
    organisation_account_id: str
    """The account of the registry and the ledger."""
    region: str
    """The environments' region."""
    environments: Sequence[CiEnvironment]
    """The environments of this account."""

    def __post_init__(self) -> None:
        if not re.fullmatch(REPOSITORY, self.repository):
            raise ArgsError("repository", got=self.repository, want="owner/name or owner@id/name@id")
        names = [environment.name for environment in self.environments]
        if not names or len({*names}) != len(names):
            raise ArgsError("environments", got=names, want="one or more, each once")


class CiAccess(pulumi.ComponentResource):
    """GitHub's OIDC provider and, for each environment, the roles `slipway-preview-<environment>` and `slipway-deploy-<environment>`.

    Creates: OIDC provider (an account has one for each URL: import it where it is there), IAM roles and policies, one of them the
    permissions boundary `slipway-pods`: CI writes policies only for roles that have it. All free.
    Not: rights in Kubernetes: name the roles in `cluster.access` of the environment.
    Outputs: deploy_role_arns, preview_role_arns by environment - known after apply.
    Errors: ArgsError on repository and environments, before any resource.
    Promises: the roles' names, which other accounts' policies admit. Trust is by repository and GitHub environment: whoever may run
    a job in that environment has the role.
    """

    deploy_role_arns: dict[str, pulumi.Output[str]]
    preview_role_arns: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: CiAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:CiAccess", name, None, opts)
        self._name = name
        github = aws.iam.OpenIdConnectProvider(
            f"{name}-github",
            url=f"https://{GITHUB}",
            client_id_lists=["sts.amazonaws.com"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.iam.Policy(
            f"{name}-pods",
            name=PODS_BOUNDARY,
            description="What no pod's role may do, whatever a stack file gives it",
            policy=render(plan_pods_boundary([each.state_bucket for each in args.environments])),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.deploy_role_arns = {each.name: self._role("deploy", each, args, github) for each in args.environments}
        self.preview_role_arns = {each.name: self._role("preview", each, args, github) for each in args.environments}
        self.register_outputs({"deployRoleArns": self.deploy_role_arns, "previewRoleArns": self.preview_role_arns})

    def _role(
        self, kind: str, environment: CiEnvironment, args: CiAccessArgs, github: aws.iam.OpenIdConnectProvider
    ) -> pulumi.Output[str]:
        trust = plan_trust(kind, environment.name, repository=args.repository, account_id=args.account_id)
        role = aws.iam.Role(
            f"{self._name}-{kind}-{environment.name}",
            name=role_name(kind, environment.name),
            description=f"GitHub workflows of {args.repository}: {kind} {environment.name}",
            assume_role_policy=render([trust]),
            max_session_duration=SESSION_SECONDS[kind],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[github]),
        )
        for group in groups_of(kind, environment):
            rights = plan_rights(
                group,
                environment,
                account_id=args.account_id,
                region=args.region,
                organisation_account_id=args.organisation_account_id,
            )
            policy_name = f"{self._name}-{kind}-{environment.name}-{group}"
            policy = aws.iam.Policy(policy_name, policy=render(rights), opts=pulumi.ResourceOptions(parent=self))
            aws.iam.RolePolicyAttachment(
                policy_name, role=role.name, policy_arn=policy.arn, opts=pulumi.ResourceOptions(parent=self)
            )
        return role.arn
