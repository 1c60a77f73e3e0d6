"""The organisation, in reading order: what its account has, then what each account has."""

from collections.abc import Mapping

import pulumi

from components.foundation import (
    AuditArchive,
    AuditArchiveArgs,
    AuditTrail,
    AuditTrailArgs,
    BudgetAlarm,
    BudgetAlarmArgs,
    CiAccess,
    CiAccessArgs,
    CiEnvironment,
    ImageRegistry,
    ImageRegistryArgs,
    Ledger,
    LedgerArgs,
    SigningKey,
    SigningKeyArgs,
    StateStore,
    StateStoreArgs,
    operator_role_arn,
    role_arn,
)
from foundation.providers import build_aws_provider
from foundation.settings import FoundationSettings, load_settings


def deploy() -> None:
    """Register everything and export what the environments' stack files and GitHub need."""
    settings = load_settings()
    region = pulumi.Config("aws").require("region")
    accounts = {
        account_id: pulumi.ResourceOptions(providers=[build_aws_provider(settings, account_id, region)])
        for account_id in settings.account_ids()
    }
    organisation = accounts[settings.account_id]
    builders = {name: each.account_id for name, each in settings.environments.items() if each.builds}

    readers = sorted({each.account_id for each in settings.environments.values()})
    builder_arns = [
        arn
        for name, account_id in builders.items()
        for arn in (role_arn(account_id, "deploy", name), operator_role_arn(account_id, settings.access_role))
    ]
    registry = ImageRegistry(
        "images",
        ImageRegistryArgs(
            services=settings.services,
            account_id=settings.account_id,
            reader_account_ids=readers,
            pusher_role_arns=builder_arns,
        ),
        opts=organisation,
    )
    signing = SigningKey(
        "attestations",
        SigningKeyArgs(account_id=settings.account_id, signer_role_arns=builder_arns, verifier_account_ids=readers),
        opts=organisation,
    )
    ledger = Ledger(
        "ledger",
        LedgerArgs(
            account_id=settings.account_id,
            region=region,
            environment_accounts={name: each.account_id for name, each in settings.environments.items()},
            operator_role=settings.access_role,
            backup_days=settings.backup_days,
        ),
        opts=organisation,
    )
    if settings.audit.enabled:
        _build_audit(settings, region, accounts)
    for account_id, in_account in accounts.items():
        _build_account(settings, account_id, region, in_account)

    pulumi.export("repositoryUrls", registry.repository_urls)
    pulumi.export("ledgerTableArn", ledger.table_arn)
    pulumi.export("signingKeyArn", signing.key_arn)


def _build_audit(settings: FoundationSettings, region: str, accounts: Mapping[str, pulumi.ResourceOptions]) -> None:
    """A trail in each account, and the archive that all write to."""
    archive = AuditArchive(
        "audit",
        AuditArchiveArgs(
            account_id=settings.account_id,
            region=region,
            trail_name=settings.audit.trail_name,
            trail_account_ids=[*accounts],
            retention_days=settings.audit.retention_days,
        ),
        opts=accounts[settings.account_id],
    )
    for account_id, in_account in accounts.items():
        AuditTrail(
            f"audit-{account_id}",
            AuditTrailArgs(
                trail_name=settings.audit.trail_name, bucket_name=archive.bucket_name, key_arn=archive.key_arn
            ),
            opts=in_account,
        )
    pulumi.export("auditBucket", archive.bucket_name)


def _build_account(
    settings: FoundationSettings, account_id: str, region: str, in_account: pulumi.ResourceOptions
) -> None:
    """What an account has: its budget and, where it has environments, their state's bucket and CI's roles."""
    if settings.budget.enabled:
        BudgetAlarm(
            f"budget-{account_id}",
            BudgetAlarmArgs(
                account_id=account_id,
                usd_per_month=settings.budget_of(account_id),
                subscriber_emails=settings.budget.emails,
            ),
            opts=in_account,
        )
    environments = settings.environments_of(account_id)
    if not environments:
        return
    # The organisation's own account has bucket and key from `slipway bootstrap`: this program's state is in it.
    if account_id != settings.account_id:
        StateStore(
            f"state-{account_id}",
            StateStoreArgs(
                account_id=account_id,
                bucket_names=sorted({each.state_bucket for each in environments.values()}),
            ),
            opts=in_account,
        )
    access = CiAccess(
        f"ci-{account_id}",
        CiAccessArgs(
            repository=settings.repository,
            account_id=account_id,
            organisation_account_id=settings.account_id,
            region=region,
            environments=[
                CiEnvironment(
                    name=name,
                    state_bucket=each.state_bucket,
                    builds=each.builds,
                    analysis_secrets=each.analysis_secrets,
                )
                for name, each in environments.items()
            ],
        ),
        opts=in_account,
    )
    for name in environments:
        pulumi.export(f"{name}DeployRoleArn", access.deploy_role_arns[name])
        pulumi.export(f"{name}PreviewRoleArn", access.preview_role_arns[name])
