"""Verbs on a stack whose state is not in files: what the Pulumi CLI is told to do, and what becomes of its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FAKE_PULUMI = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[3:5] == ["stack", "output"] and "--json" in sys.argv:
    print("{{}}")
if "--secret" in sys.argv:
    with open({log!r} + ".stdin", "w") as given:
        given.write(sys.stdin.read())
sys.exit(int(os.environ.get("FAKE_EXIT", "0")))
"""

Slipway = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "policies").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: proj\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text("config: {}\n")
    (folder / "policies" / "PulumiPolicy.yaml").write_text("runtime: python\n")
    return folder


@pytest.fixture
def slipway(tmp_path: Path, project: Path) -> Slipway:
    """Run a verb with a `pulumi` that only writes down what it was told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    pulumi = programs / "pulumi"
    pulumi.write_text(FAKE_PULUMI.format(python=sys.executable, log=str(tmp_path / "log")))
    pulumi.chmod(0o755)

    def run(
        *arguments: str, backend: str = "s3://state", exits: int = 0, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SLIPWAY_"))}
        environ |= {"PATH": f"{programs}{os.pathsep}{environ['PATH']}", "FAKE_EXIT": str(exits)}
        if backend:
            environ["PULUMI_BACKEND_URL"] = backend
        argv = [sys.executable, "-m", "slipway.cli", "--project-dir", str(project), *arguments]
        return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False, input=given)

    return run


@pytest.fixture
def told(tmp_path: Path, project: Path) -> Callable[[], list[str]]:
    """The CLI's command lines, without what is the same in all."""

    def read() -> list[str]:
        log = tmp_path / "log"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        assert all(line[:2] == ["--cwd", str(project)] for line in lines)
        return [" ".join(line[2:]).replace(str(project), "<project>") for line in lines]

    return read


PACK = "--policy-pack <project>/policies"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["preview", "dev"], [f"preview --stack dev {PACK}"]),
        (
            ["preview", "dev", "--json", "--expect-no-changes", "--refresh", "--target", "urn:a", "--target", "urn:b"],
            [f"preview --stack dev --json --expect-no-changes --refresh --target urn:a --target urn:b {PACK}"],
        ),
        (
            ["up", "dev", "--yes", "--message", "more zones"],
            ["stack select --create dev", f"up --stack dev --yes --message more zones {PACK}"],
        ),
        (["up", "dev", "--yes", "--dry-run"], [f"preview --stack dev {PACK}"]),
        (["refresh", "dev", "--yes"], ["refresh --stack dev --yes"]),
        (["refresh", "dev", "--yes", "--dry-run"], ["refresh --stack dev --preview-only"]),
        (["destroy", "dev", "--yes"], ["stack output --json --stack dev", "destroy --stack dev --yes"]),
        (["outputs", "dev", "url", "--show-secrets"], ["stack output url --stack dev --show-secrets"]),
        (["cancel", "dev", "--yes"], ["cancel --stack dev --yes"]),
        (["export", "dev"], ["stack export --stack dev"]),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_verb_is_the_clis_own(
    slipway: Slipway, told: Callable[[], list[str]], typed: list[str], wanted: list[str]
) -> None:
    done = slipway(*typed)
    assert (done.returncode, done.stderr) == (0, "")
    assert told() == wanted


def test_import_hands_on_the_file(slipway: Slipway, told: Callable[[], list[str]], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"version": 3}')
    assert slipway("import", "dev", str(state), "--yes").returncode == 0
    assert told() == [f"stack import --stack dev --file {state}"]


def test_secret_is_encrypted_by_the_cli_and_is_in_no_command_line(
    slipway: Slipway, told: Callable[[], list[str]], tmp_path: Path
) -> None:
    assert slipway("config", "set", "dev", "token", "--secret", given="s3cr3t-value\n").returncode == 0
    assert told() == ["config set token --secret --stack dev"]
    assert (tmp_path / "log.stdin").read_text() == "s3cr3t-value"
    assert slipway("config", "set", "dev", "token", "--secret", given="x", exits=4).returncode == 4


def test_plain_values_of_a_stack_file_need_no_backend(
    slipway: Slipway, told: Callable[[], list[str]], project: Path
) -> None:
    assert slipway("config", "set", "dev", "aws:region", "eu-west-1").returncode == 0
    assert slipway("config", "get", "dev", "aws:region").stdout == "eu-west-1\n"
    assert "aws:region: eu-west-1" in (project / "Pulumi.dev.yaml").read_text()
    assert slipway("config", "rm", "dev", "aws:region").returncode == 0
    assert told() == []


def test_exit_code_is_the_clis(slipway: Slipway) -> None:
    assert slipway("preview", "dev", exits=5).returncode == 5


def test_up_ends_where_the_stack_cannot_be_made(slipway: Slipway, told: Callable[[], list[str]]) -> None:
    assert slipway("up", "dev", "--yes", exits=3).returncode == 3
    assert told() == ["stack select --create dev"]


def test_backend_that_the_cli_is_logged_in_to_is_the_one_where_none_is_named(
    slipway: Slipway, told: Callable[[], list[str]]
) -> None:
    assert slipway("refresh", "dev", "--yes", backend="").returncode == 0
    assert told() == ["refresh --stack dev --yes"]


def test_unknown_environment_is_refused_before_the_cli_is_asked(
    slipway: Slipway, told: Callable[[], list[str]]
) -> None:
    done = slipway("up", "prud", "--yes")
    assert done.returncode == 2
    assert "no environment 'prud'" in done.stderr
    assert told() == []


def test_files_are_the_engines(slipway: Slipway, told: Callable[[], list[str]], tmp_path: Path) -> None:
    done = slipway("outputs", "dev", backend=f"file://{tmp_path}")
    assert done.returncode == 6
    assert told() == []


def test_missing_cli_is_named_with_the_way_out(project: Path, tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PULUMI_BACKEND_URL": "s3://state"}
    argv = [sys.executable, "-m", "slipway.cli", "--project-dir", str(project), "up", "dev", "--yes"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "the Pulumi CLI is needed for the backend s3://state" in done.stderr
    assert "install `pulumi`" in done.stderr
