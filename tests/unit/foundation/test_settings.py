"""The foundation's stack file and what is said of faulty ones."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundation.settings import SettingsError, parse_settings

FOLDER = Path(__file__).parents[3] / "foundation"
ENVIRONMENT = {"accountId": "222222222222", "stateBucket": "state-dev", "budgetUsdPerMonth": 300}


def raw_settings(**changes: Any) -> dict[str, str]:
    """The config texts of the committed stack file, as Pulumi hands them to the program."""
    config = yaml.safe_load((FOLDER / "Pulumi.org.yaml").read_text())["config"]
    values = {key.removeprefix("foundation:"): value for key, value in config.items() if key.startswith("foundation:")}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in {**values, **changes}.items()
        if value is not None
    }


def test_settings_as_committed_have_keys_that_pulumi_knows_and_a_budget_for_each_account() -> None:
    known = yaml.safe_load((FOLDER / "Pulumi.yaml").read_text())["config"]
    settings = parse_settings(raw_settings(), stack="org")
    assert {f"foundation:{key}" for key in raw_settings()} <= {*known}
    budgets = [settings.budget_of(account) for account in settings.account_ids()]
    assert budgets == [50, 300, 400, 1200]


@pytest.mark.parametrize("repository", ["acme/orders", "acme@123456/orders@456789"])
def test_repository_is_named_as_github_names_it_in_its_tokens(repository: str) -> None:
    assert parse_settings(raw_settings(repository=repository), stack="org").repository == repository


def test_environments_may_share_the_organisations_account() -> None:
    environment = {**ENVIRONMENT, "accountId": "111111111111", "builds": True}
    settings = parse_settings(raw_settings(environments={"dev": environment, "prod": environment}), stack="org")
    assert (settings.account_ids(), settings.budget_of("111111111111")) == (["111111111111"], 650)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"owner": None}, "foundation:owner: missing"),
        ({"accuontId": "1"}, "foundation:accuontId: unknown key"),
        ({"accountId": "12"}, "foundation:accountId: string should match"),
        ({"repository": "orders"}, "foundation:repository: string should match"),
        ({"repository": "acme@123456/orders"}, "foundation:repository: string should match"),
        ({"environments": {"dev": {**ENVIRONMENT, "stateBucket": "A"}}}, "foundation:environments.dev.stateBucket:"),
        ({"environments": {"dev": ENVIRONMENT}}, "foundation:environments: nobody builds images"),
        ({"environments": {"deploy": {**ENVIRONMENT, "builds": True}}}, "foundation:environments.deploy: the name is"),
        ({"environments": {"pre-prod": ENVIRONMENT}}, "foundation:environments.pre-prod.[key]: string should match"),
        ({"services": ["orders-prod"]}, "foundation:services: want a name without prod"),
        ({"services": ["slipway"]}, "foundation:services: want a name another"),
        ({"services": ["orders", "orders"]}, "foundation:services: want each once"),
        ({"budget": {"usdPerMonth": 50, "emails": []}}, "foundation:budget.emails: list should have at least 1 item"),
        ({"audit": {"retentionDays": 0}}, "foundation:audit.retentionDays: input should be greater than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_naming_file_and_key(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(raw_settings(**changes), stack="org")
    assert str(caught.value).startswith("foundation/Pulumi.org.yaml cannot be used:\n")
    assert says in str(caught.value)
