"""Repositories of one name: all accounts and regions share the registry behind them, so a name is taken once."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ecr.models import ecr_backends

from slipway.sandbox.aws.ecr.models import RegistryBackend
from slipway.sandbox.aws.world import World, use_world, world

OWN, OTHER = "123456789012", "222222222222"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = world()
    use_world(World(registry=object()))  # pyright: ignore[reportArgumentType] - nothing is asked of it
    monkeypatch.setattr(ecr_backends, "backend", RegistryBackend)
    with mock_aws():
        yield
    use_world(before)


@pytest.mark.parametrize(
    ("account", "region"), [(OTHER, "us-east-1"), (OWN, "eu-west-1")], ids=["another account", "another region"]
)
def test_refuses_a_name_that_another_account_or_region_has(
    account: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = boto3.client("ecr", "us-east-1").create_repository(repositoryName="orders")["repository"]
    assert made.get("repositoryUri", "").endswith("/orders")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", account)
    ecr = boto3.client("ecr", region)
    with pytest.raises(ClientError, match=f"InvalidParameterException.*orders in account {OWN}, us-east-1"):
        ecr.create_repository(repositoryName="orders")
    ecr.create_repository(repositoryName="tea")
