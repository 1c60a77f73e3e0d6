"""An account by moto in this process; what moto lacks is stubbed, and checked against botocore's models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.stub import Stubber
from moto import mock_aws

from slipway.doctor import Account, Case, read_project

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
ACCOUNT = "123456789012"
NAMES: dict[str, Any] = {"service": {"name": "orders"}, "network": {"cidr": "10.20.0.0/16"}}


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One for all tests: it keeps the service models, which take longer to read than any check."""
    return boto3.Session("test", "test", region_name="us-east-1")


@pytest.fixture
def case_of(session: boto3.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Case]]:
    """Makes the case of a dev with these blocks of `slipway:`, in an empty account."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "PULUMI_BACKEND"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "Session", lambda **_: session)

    def make(**blocks: Any) -> Case:
        blocks = {"accountId": ACCOUNT, "cluster": {"version": "1.35"}, **NAMES, **blocks}
        config = {"aws:region": "us-east-1", **{f"slipway:{key}": value for key, value in blocks.items()}}
        (tmp_path / "Pulumi.yaml").write_text("name: slipway\n")
        (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))
        project = read_project(tmp_path, "dev")
        return Case(project=project, account=Account(project.facts.region), now=NOW)

    with mock_aws():
        yield make


@pytest.fixture
def stub() -> Iterator[Callable[[Case, str], Stubber]]:
    """Answers for one service of a case, in the order in which they are asked for."""
    active: list[Stubber] = []

    def start(case: Case, service: str) -> Stubber:
        stubber = Stubber(case.account.client(service))
        stubber.activate()
        active.append(stubber)
        return stubber

    yield start
    for each in active:
        each.assert_no_pending_responses()
