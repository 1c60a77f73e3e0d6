"""The ledger's table: which release runs where. All environments write to it, each to its own part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..errors import ArgsError
from ..service_roles import build_service_role
from .ci_roles import operator_role_arn, role_arn
from .encryption_key import build_key
from .ledger_access import LEDGER_KEY, LEDGER_READ, LEDGER_WRITE, read_partitions, write_partitions
from .policy_document import Conditions, Statement, accounts, allow, only_roles, render

MOST_RECOVERY_DAYS = 35  # source: DynamoDB developer guide, "Point-in-time recovery", 2026


@dataclass(frozen=True, kw_only=True)
class LedgerArgs:
    """Where the ledger is and which environments write to it."""

    account_id: str
    """The account of the table."""
    region: str
    """The region of the table and of the environments."""
    environment_accounts: Mapping[str, str]
    """Account of each environment, by the environment's name. Their roles for CI get access."""
    operator_role: str
    """Name of the role in the environments' accounts with which people work by hand; it may what an account's deploy roles may."""
    table_name: str = "slipway-ledger"
    """Name of the table; its ARN is `slipway:ledgerTable` of the environments."""
    backup_days: int = 90
    """Days for which daily backups are kept outside the table, beside 35 days of point-in-time recovery in it. 0: none are made."""

    def __post_init__(self) -> None:
        if not self.environment_accounts:
            raise ArgsError("environment_accounts", got={}, want="one environment or more")
        if self.backup_days < 0:
            raise ArgsError("backup_days", got=self.backup_days, want="0 or more")


class Ledger(pulumi.ComponentResource):
    """The ledger's table, with a key of its own, backups, and access from other accounts.

    Creates: DynamoDB table on demand (cents a month), KMS key, backup vault and plan with a role.
    Outputs: table_arn, key_arn - known after apply.
    Errors: ArgsError on environment_accounts and backup_days, before any resource.
    Promises: the table is protected against deletion, here and in AWS. A deploy role writes to the partitions of its own environment
    and those that all share; it reads all of them. A preview role reads its environment's.
    """

    table_arn: pulumi.Output[str]
    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: LedgerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:Ledger", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = build_key(
            name,
            purpose="The ledger and its backups",
            account_id=args.account_id,
            statements=[_key_use(args)],
            opts=child,
        )
        table = aws.dynamodb.Table(
            f"{name}-table",
            name=args.table_name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="pk",
            range_key="sk",
            attributes=[aws.dynamodb.TableAttributeArgs(name=each, type="S") for each in ("pk", "sk")],
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=key.arn),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(
                enabled=True, recovery_period_in_days=MOST_RECOVERY_DAYS
            ),
            deletion_protection_enabled=True,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        aws.dynamodb.ResourcePolicy(
            f"{name}-access",
            resource_arn=table.arn,
            policy=table.arn.apply(lambda arn: render(_access(args, arn))),
            opts=child,
        )
        if args.backup_days:
            self._backups(name, args, table, key)
        self.table_arn = table.arn
        self.key_arn = key.arn
        self.register_outputs({"tableArn": self.table_arn, "keyArn": self.key_arn})

    def _backups(self, name: str, args: LedgerArgs, table: aws.dynamodb.Table, key: aws.kms.Key) -> None:
        child = pulumi.ResourceOptions(parent=self)
        vault = aws.backup.Vault(
            f"{name}-vault", kms_key_arn=key.arn, opts=pulumi.ResourceOptions(parent=self, protect=True)
        )
        plan = aws.backup.Plan(
            f"{name}-backups",
            rules=[
                aws.backup.PlanRuleArgs(
                    rule_name="daily",
                    target_vault_name=vault.name,
                    schedule="cron(0 3 * * ? *)",
                    lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=args.backup_days),
                )
            ],
            opts=child,
        )
        role = build_service_role(
            f"{name}-backup",
            service="backup.amazonaws.com",
            managed_policies=["service-role/AWSBackupServiceRolePolicyForBackup"],
            opts=child,
        )
        aws.backup.Selection(
            f"{name}-backup-selection",
            plan_id=plan.id,
            iam_role_arn=role.role.arn,
            resources=[table.arn],
            opts=pulumi.ResourceOptions(parent=self, depends_on=role.attachments),
        )


def _deployers(args: LedgerArgs, environment: str) -> list[str]:
    account = args.environment_accounts[environment]
    return [role_arn(account, "deploy", environment), operator_role_arn(account, args.operator_role)]


def _key_use(args: LedgerArgs) -> Statement:
    """DynamoDB uses the key in the caller's name, also from another account."""
    roles = [
        role
        for environment, account in args.environment_accounts.items()
        for role in (*_deployers(args, environment), role_arn(account, "preview", environment))
    ]
    return allow(
        "Environments",
        LEDGER_KEY,
        principal=accounts(sorted({*args.environment_accounts.values()})),
        conditions={
            "StringEquals": {"kms:ViaService": f"dynamodb.{args.region}.amazonaws.com"},
            **only_roles(roles),
        },
    )


def _access(args: LedgerArgs, table_arn: str) -> list[Statement]:
    statements: list[Statement] = []
    for environment, account in args.environment_accounts.items():
        deployers = _deployers(args, environment)
        rows: tuple[tuple[str, Sequence[str], Sequence[str], Conditions], ...] = (
            (
                "Preview",
                [role_arn(account, "preview", environment)],
                ["dynamodb:GetItem"],
                read_partitions(environment),
            ),
            ("Read", deployers, LEDGER_READ, {}),
            ("Write", deployers, LEDGER_WRITE, write_partitions(environment)),
        )
        statements += [
            allow(
                f"{does}{environment.capitalize()}",
                actions,
                [table_arn],
                principal=accounts([account]),
                conditions={**only_roles(roles), **partitions},
            )
            for does, roles, actions, partitions in rows
        ]
    return statements
