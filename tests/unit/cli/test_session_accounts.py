"""On the sandbox a command works in the account that the environment's stack file names."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.cli.session import Session
from slipway.sandbox import aws_accounts, lifecycle
from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths

OTHER = "222222222222"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Of a project with dev in the sandbox's own account, prod in another one, and lab that does not say."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    os.environ["SLIPWAY_HOME"] = str(tmp_path / "home")
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    for stack, account in (("dev", aws_accounts.OWN_ACCOUNT), ("prod", OTHER)):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(f'config: {{slipway:accountId: "{account}"}}\n')
    (tmp_path / "Pulumi.lab.yaml").write_text("config: {}\n")

    def runs(_paths: SandboxPaths) -> None:
        """It answers."""

    def credentials(_paths: SandboxPaths, account: str) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": f"of {account}"}

    monkeypatch.setattr(lifecycle, "require_running", runs)
    monkeypatch.setattr(aws_accounts, "account_credentials", credentials)
    return Session(project_dir=tmp_path, sandbox=True)


def key_of(session: Session, environment: str) -> str:
    session.stack(environment)
    return os.environ["AWS_ACCESS_KEY_ID"]


def test_environment_is_worked_on_in_its_account(session: Session) -> None:
    own = aws_credentials(SandboxPaths.from_environment())["AWS_ACCESS_KEY_ID"]
    assert [key_of(session, each) for each in ("dev", "prod", "lab", "dev")] == [own, f"of {OTHER}", own, own]
    session.activate("prod")  # slipway doctor prod
    assert os.environ["AWS_ACCESS_KEY_ID"] == f"of {OTHER}"
    session.activate()
    assert os.environ["AWS_ACCESS_KEY_ID"] == own
    assert key_of(replace(session, in_account=False), "prod") == own, "slipway bootstrap prod"


def test_without_the_sandbox_credentials_are_the_callers(session: Session) -> None:
    os.environ["AWS_ACCESS_KEY_ID"] = "mine"
    assert key_of(replace(session, sandbox=False), "prod") == "mine"
