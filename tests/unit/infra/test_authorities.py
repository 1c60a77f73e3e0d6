"""Where the program gets the certificates from that pods verify the database with."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from infra.authorities import BUNDLE_VARIABLE, load_ca_bundle
from infra.settings import SettingsError
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths

PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(BUNDLE_VARIABLE, raising=False)
    monkeypatch.setattr(pulumi, "get_root_directory", lambda: str(tmp_path))
    return tmp_path


def load(setting: str) -> str:
    return load_ca_bundle(setting, environment="dev", region="eu-west-1")


def test_bundle_is_the_file_that_the_stack_file_names(project: Path) -> None:
    (project / "rds.pem").write_text(PEM)
    assert load("rds.pem") == PEM


def test_environment_goes_first_and_is_the_sandboxs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = SandboxPaths(project / "home")
    monkeypatch.setenv(BUNDLE_VARIABLE, sandbox_environment(paths)[BUNDLE_VARIABLE])
    paths.database_ca_bundle.parent.mkdir(parents=True)
    paths.database_ca_bundle.write_text(PEM)
    assert load("of-aws.pem") == PEM


@pytest.mark.parametrize(
    ("setting", "why"),
    [("", "missing"), ("none.pem", r"none\.pem cannot be read"), ("key.pem", "no certificate in PEM")],
)
def test_refuses_to_run_without_certificates_and_says_where_they_are(project: Path, setting: str, why: str) -> None:
    (project / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(SettingsError, match=why) as caught:
        load(setting)
    assert "slipway:database.caBundle" in str(caught.value)
    assert "/eu-west-1/eu-west-1-bundle.pem" in str(caught.value)
