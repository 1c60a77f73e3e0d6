"""The roles of CI: names, trust and rights of each environment. Pure: no Pulumi, no AWS."""

from collections.abc import Sequence
from dataclasses import dataclass

from .ci_rights import DENIED, OF_ORGANISATION, RIGHTS, ROLES
from .ci_row import Row
from .policy_document import Conditions, Statement, allow, deny

GITHUB = "token.actions.githubusercontent.com"
REPOSITORY = r"[\w.-]+(/[\w.-]+|@\d+/[\w.-]+@\d+)"
"""As GitHub names a repository in the subject of its tokens: with numbers where it was made, renamed or moved since 15 July 2026.
Source: GitHub changelog of 23 April 2026, "Immutable subject claims"."""


@dataclass(frozen=True, kw_only=True)
class CiEnvironment:
    """An environment as CI sees it."""

    name: str
    state_bucket: str
    """Bucket of its stacks' state, of which `slipway bootstrap` makes one."""
    builds: bool = False
    """Images are built here, and nowhere else."""
    analysis_secrets: Sequence[str] = ()
    """Secrets that `rollout.analysis` of its stack file names: by name, or by ARN. A key of one's own must let the role decrypt."""


def role_arn(account_id: str, kind: str, environment: str) -> str:
    """The ARN of an environment's role; `kind` is deploy or preview. It is known before the role exists: other accounts admit it."""
    return f"arn:aws:iam::{account_id}:role/{role_name(kind, environment)}"


def operator_role_arn(account_id: str, role: str) -> str:
    """The ARN of the role with which people work in an account."""
    return f"arn:aws:iam::{account_id}:role/{role}"


def role_name(kind: str, environment: str) -> str:
    """Not like the names of what the program makes, which end with or contain `-<environment>-`."""
    return f"slipway-{kind}-{environment}"


def plan_trust(kind: str, environment: str, *, repository: str, account_id: str) -> Statement:
    """Who takes on the role: jobs of the repository in the GitHub environments that the workflows use for it."""
    github_environments = [f"preview-{environment}"] if kind == "preview" else [environment, f"rollback-{environment}"]
    statement = allow(
        "GitHubActions",
        ["sts:AssumeRoleWithWebIdentity"],
        principal={"Federated": f"arn:aws:iam::{account_id}:oidc-provider/{GITHUB}"},
        conditions={
            "StringEquals": {
                f"{GITHUB}:aud": "sts.amazonaws.com",
                f"{GITHUB}:sub": [f"repo:{repository}:environment:{name}" for name in github_environments],
            }
        },
    )
    del statement["Resource"]  # the role itself; IAM refuses a trust that names one
    return statement


def plan_pods_boundary(state_buckets: Sequence[str]) -> list[Statement]:
    """What pods may do at most: everything but to become somebody else, to change who may do what, or to take over what others run on.

    It is one for the account: CI writes pods' policies, and so whoever has dev's role could read what prod's stacks keep.
    Master passwords stay open: a service's own Job reads its database's.
    """
    buckets = [f"arn:aws:s3:::{name}{part}" for name in sorted({*state_buckets}) for part in ("", "/*")]
    return [
        allow("Services", ["*"]),
        deny(
            "Identities", ["account:*", "iam:*", "organizations:*", "sso:*", "sts:AssumeRole*", "sts:Get*Token"], ["*"]
        ),
        deny("Delivery", ["dynamodb:*"], ["arn:aws:dynamodb:*:*:table/slipway-ledger"]),
        deny("State", ["s3:*"], buckets),
        deny("Keys", ["kms:*"], ["arn:aws:kms:*:*:key/*"], conditions=OF_ORGANISATION),
        deny("Clusters", ["eks:Associate*", "eks:Create*", "eks:Delete*", "eks:Update*"], ["*"]),
        deny("Databases", ["rds:Create*", "rds:Delete*", "rds:Modify*", "rds:Restore*"], ["*"]),
    ]


def groups_of(kind: str, environment: CiEnvironment) -> tuple[str, ...]:
    """The groups of rights that a role has; each is a policy of its own, within AWS's limit of 6,144 characters."""
    return (*ROLES[kind], "build") if kind == "deploy" and environment.builds else ROLES[kind]


def plan_rights(
    group: str, environment: CiEnvironment, *, account_id: str, region: str, organisation_account_id: str
) -> list[Statement]:
    """The statements of one group for one environment."""
    names = {
        "environment": environment.name,
        "account": account_id,
        "region": region,
        "organisation": organisation_account_id,
        "state_bucket": environment.state_bucket,
    }
    statements = [
        allow(sid, row.actions, [each.format_map(names) for each in row.resources], conditions=_fill(row, names))
        for sid, row in RIGHTS[group].items()
    ]
    if group == "release" and environment.analysis_secrets:
        secrets = [_secret_arn(each, account_id, region) for each in environment.analysis_secrets]
        statements.append(allow("AnalysisSecrets", ["secretsmanager:GetSecretValue"], secrets))
    return [*statements, DENIED[group]] if group in DENIED else statements


def _secret_arn(secret: str, account_id: str, region: str) -> str:
    """Of one secret alone: Secrets Manager adds six characters to a name, and a star would stand for a longer name as well."""
    return (
        secret if secret.startswith("arn:") else f"arn:aws:secretsmanager:{region}:{account_id}:secret:{secret}-??????"
    )


def _fill(row: Row, names: dict[str, str]) -> Conditions:
    return {
        operator: {
            key: value.format_map(names) if isinstance(value, str) else [each.format_map(names) for each in value]
            for key, value in values.items()
        }
        for operator, values in row.conditions.items()
    }
