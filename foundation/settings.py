"""The stack file's settings: read once, checked whole, every fault reported together with its file and key."""

from collections.abc import Mapping
from typing import Annotated

import pulumi
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from components.foundation import REPOSITORY
from slipway.contract.setting_faults import decode_settings, describe_faults

NAMESPACE = "foundation"
RESERVED = frozenset({"deploy", "preview", "rollback"})
"""No environment's name: roles and GitHub environments have these words in theirs."""
SERVICE_OF_CI = "slipway"
"""No service's name: CI's roles begin with it, and no role of CI may change them."""

AccountId = Annotated[str, Field(pattern=r"^\d{12}$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,15}$")]
ServiceName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,20}[a-z0-9])?$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
SecretName = Annotated[
    str, Field(pattern=r"^(arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[a-zA-Z0-9/_+=.@-]+$", max_length=600)
]
Usd = Annotated[int, Field(ge=1)]


class SettingsError(pulumi.RunError):
    """The stack file cannot be used; the message names every fault. Shown without a traceback."""


class _Settings(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class EnvironmentSettings(_Settings):
    """`foundation:environments.<name>`"""

    account_id: AccountId
    state_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    budget_usd_per_month: Usd
    builds: bool = False
    """Images are built by this environment's role."""
    analysis_secrets: list[SecretName] = []
    """Secrets that `rollout.analysis` of its stack file names; its deploy role may read them."""


class BudgetSettings(_Settings):
    """`foundation:budget`"""

    enabled: bool = True
    """False where the organisation's finance watches the accounts already."""
    usd_per_month: Usd
    """For the organisation's own account."""
    emails: Annotated[list[Email], Field(min_length=1)]


class AuditSettings(_Settings):
    """`foundation:audit`"""

    enabled: bool = True
    """False where the organisation has a trail of all accounts already, as AWS Control Tower makes one."""
    trail_name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9-]{2,127}$")] = "slipway-audit"
    retention_days: Annotated[int, Field(ge=1)] = 365


class FoundationSettings(_Settings):
    """Everything the stack file says."""

    owner: Annotated[str, Field(min_length=1)]
    account_id: AccountId
    access_role: Annotated[str, Field(pattern=r"^[\w+=,.@/-]{1,64}$")] = "OrganizationAccountAccessRole"
    repository: Annotated[str, Field(pattern=rf"^{REPOSITORY}$")]
    services: Annotated[list[ServiceName], Field(min_length=1)]
    environments: Annotated[dict[EnvironmentName, EnvironmentSettings], Field(min_length=1)]
    budget: BudgetSettings
    audit: AuditSettings = AuditSettings()
    backup_days: Annotated[int, Field(ge=0)] = 90
    """For daily backups outside the table; 0: none."""

    def environments_of(self, account_id: str) -> dict[str, EnvironmentSettings]:
        """The environments of one account."""
        return {name: each for name, each in self.environments.items() if each.account_id == account_id}

    def account_ids(self) -> list[str]:
        """Every account once, the organisation's own first."""
        return [*dict.fromkeys([self.account_id, *(each.account_id for each in self.environments.values())])]

    def budget_of(self, account_id: str) -> int:
        """What the account may cost a month, in USD: its environments, and the organisation's own part."""
        own = self.budget.usd_per_month if account_id == self.account_id else 0
        return own + sum(each.budget_usd_per_month for each in self.environments_of(account_id).values())


def parse_settings(raw: Mapping[str, str], *, stack: str) -> FoundationSettings:
    """Settings from config texts by key (without the namespace); raises SettingsError naming every fault at once."""
    settings: FoundationSettings | None = None
    try:
        settings = FoundationSettings.model_validate(decode_settings(raw, FoundationSettings))
        faults = _impossible(settings)
    except ValidationError as error:
        faults = describe_faults(NAMESPACE, error)
    if settings is None or faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(f"foundation/Pulumi.{stack}.yaml cannot be used:\n{lines}")
    return settings


def load_settings() -> FoundationSettings:
    """The settings of the stack that runs. Keys that no field knows are among them: a typo would otherwise pass unseen."""
    prefix = f"{NAMESPACE}:"
    texts = pulumi.runtime.config.CONFIG.get({})
    raw = {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}
    return parse_settings(raw, stack=pulumi.get_stack())


def _impossible(settings: FoundationSettings) -> list[str]:
    """Values that are each possible, but not together."""
    faults = [
        f"{NAMESPACE}:environments.{name}: the name is taken by CI's roles; choose another"
        for name in settings.environments
        if name in RESERVED
    ]
    for service in settings.services:
        # What the program makes is told apart by its name: `a-dev-prod-…` of prod would be dev's as well.
        shared = {*service.split("-")} & {*settings.environments}
        if shared or service == SERVICE_OF_CI:
            wanted = f"without {', '.join(sorted(shared))}" if shared else "another"
            faults.append(
                f"{NAMESPACE}:services: want a name {wanted}, so that rights by name tell things apart, not {service!r}"
            )
    if len({*settings.services}) != len(settings.services):
        faults.append(f"{NAMESPACE}:services: want each once, not {settings.services}")
    if not any(each.builds for each in settings.environments.values()):
        faults.append(f"{NAMESPACE}:environments: nobody builds images; set builds: true in one of them")
    return faults
