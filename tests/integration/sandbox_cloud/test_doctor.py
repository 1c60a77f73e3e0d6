"""`slipway doctor` on the sandbox's API, as it is typed: what the sandbox lacks is told, and is no failure."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipway.cli.session import Session
from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths
from tests.command import run_slipway

from .conftest import ApiDaemon

ROOT = Path(__file__).parents[3]


@pytest.fixture
def doctor(
    daemon: ApiDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Runs it on a copy of this repository's stack files."""
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws_credentials(SandboxPaths(daemon.home)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", daemon.url)
    # This daemon has another port than the sandbox that --sandbox means.
    monkeypatch.setattr(Session, "activate", lambda _session: None)

    def run(*options: str) -> tuple[int, str, str]:
        code = run_slipway(monkeypatch, "-C", str(tmp_path), "--sandbox", "doctor", "dev", *options)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_what_the_sandbox_lacks_could_not_be_asked_and_the_rest_is_as_it_should_be(doctor: Callable[..., Any]) -> None:
    code, out, err = doctor("--json")
    findings = json.loads(out)
    assert (code, err) == (0, "")
    states = {
        check: {each["state"] for each in findings if each["check"] == check}
        for check in [f["check"] for f in findings]
    }
    assert states == {
        "identity": {"ok"},
        "names": {"ok"},
        "stack files": {"ok"},
        "permissions": {"could not be asked"},
        "quotas": states["quotas"],
        "zones": {"ok"},
        "Kubernetes": {"could not be asked"},
        "domain": {"ok"},
        "VPCs": {"ok"},
    }
    assert "could not be asked" in states["quotas"]
    assert "failure" not in states["quotas"]


def test_failure_ends_with_exit_code_1_and_says_the_remedy(
    doctor: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_file = tmp_path / "Pulumi.dev.yaml"
    stack_file.write_text(stack_file.read_text().replace("123456789012", "210987654321"))
    code, out, err = doctor()
    assert code == 1
    assert "use credentials of 210987654321" in out
    assert "1 of 9 findings" in err
    assert out.count("could not be asked") == 6
