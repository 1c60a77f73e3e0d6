"""The verbs of a stack: what the Pulumi CLI is told to do, and how its exit code and its words are passed on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FAKE_PULUMI = """#!{python}
import json, os, sys
if sys.argv[1:] == ["version"]:
    sys.exit(print("v3.274.1"))
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
words = sys.argv[3:5]
if words == ["stack", "export"]:
    print('{{"version": 3, "deployment": null}}')
elif words == ["stack", "output"]:
    print('{{"url": "http://shop.example", "ports": [80]}}')
elif words == ["stack", "init"]:
    open({log!r} + ".stack", "w").close()
elif os.environ.get("FAKE_NEW") and not os.path.exists({log!r} + ".stack"):
    print("error: no stack named 'dev' found", file=sys.stderr)
    sys.exit(6)
else:
    print("shown to a person")
    print(os.environ.get("FAKE_SAYS", ""), file=sys.stderr)
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
        *arguments: str, backend: str = "s3://state", exits: int = 0, says: str = "", new: bool = False
    ) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SLIPWAY_"))}
        environ |= {"PATH": f"{programs}{os.pathsep}{environ['PATH']}", "FAKE_EXIT": str(exits)}
        environ |= {"FAKE_SAYS": says, "HOME": str(tmp_path), **({"FAKE_NEW": "1"} if new else {})}
        if backend:
            environ["PULUMI_BACKEND_URL"] = backend
        argv = [sys.executable, "-m", "slipway.cli", "--project-dir", str(project), *arguments]
        return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def told(tmp_path: Path, project: Path) -> Callable[[], list[str]]:
    """The CLI's command lines, without what is the same in all."""

    def read() -> list[str]:
        log = tmp_path / "log"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        assert all(line[:2] == ["--cwd", str(project)] for line in lines)
        texts = [" ".join(line[2:]).replace(str(project), "<project>") for line in lines]
        return [re.sub(r" --event-log \S+", "", text) for text in texts]

    return read


PACK = "--policy-pack <project>/policies"


QUIET = "--non-interactive --color never --stack dev"
EXPORT = f"stack export {QUIET}"
OUTPUT = f"stack output --json {QUIET}"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["preview", "dev"], [f"preview {PACK} --stack dev"]),
        (
            [
                "preview",
                "dev",
                "--json",
                "--diff",
                "--expect-no-changes",
                "--refresh",
                "--target",
                "urn:a",
                "--target",
                "urn:b",
            ],
            [f"preview --json --diff --expect-no-changes --refresh --target urn:a --target urn:b {PACK} --stack dev"],
        ),
        (["up", "dev"], [OUTPUT, EXPORT, f"up {PACK} --stack dev"]),
        (
            ["up", "dev", "--yes", "--message", "more zones"],
            [OUTPUT, EXPORT, f"up --yes --skip-preview --message more zones {PACK} --stack dev"],
        ),
        (["up", "dev", "--yes", "--dry-run"], [f"preview {PACK} --stack dev"]),
        (["refresh", "dev", "--yes"], ["refresh --yes --skip-preview --stack dev"]),
        (["refresh", "dev", "--yes", "--dry-run"], ["refresh --preview-only --stack dev"]),
        (["destroy", "dev"], [OUTPUT, EXPORT, "destroy --stack dev"]),
        (["outputs", "dev", "url"], [OUTPUT]),
        (["outputs", "dev", "--show-secrets"], [f"stack output --json --show-secrets {QUIET}"]),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
@pytest.mark.parametrize("backend", ["s3://state", "file:///nowhere", ""])
def test_verb_is_the_clis_own(
    slipway: Slipway, told: Callable[[], list[str]], typed: list[str], wanted: list[str], backend: str
) -> None:
    done = slipway(*typed, backend=backend)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert told() == wanted


def test_progress_is_the_clis_own(slipway: Slipway) -> None:
    assert slipway("preview", "dev").stdout == "shown to a person\n"


def test_outputs_are_printed_for_people_and_for_programs(slipway: Slipway) -> None:
    assert slipway("outputs", "dev").stdout == "url: http://shop.example\nports: [80]\n"
    assert slipway("outputs", "dev", "url").stdout == "http://shop.example\n"
    assert json.loads(slipway("outputs", "dev", "url", "--json").stdout) == {"url": "http://shop.example"}
    done = slipway("outputs", "dev", "prot")
    assert (done.returncode, "there are: url, ports" in done.stderr) == (2, True)


def test_stack_is_made_when_there_is_none(slipway: Slipway, told: Callable[[], list[str]]) -> None:
    done = slipway("preview", "dev", new=True)
    assert (done.returncode, "no stack named" in done.stderr) == (0, False)
    preview = f"preview {PACK} --stack dev"
    assert told() == [preview, "stack init dev --no-select --non-interactive --color never", preview]


@pytest.mark.parametrize(
    ("exits", "says", "code"),
    [
        (1, "error: update failed", 1),
        (255, "error: the stack is currently locked by 1 lock(s)", 4),
        (7, "error: no changes were expected but changes were proposed", 7),
        (255, "error: could not decrypt: incorrect passphrase", 2),
    ],
)
def test_failure_ends_with_the_exit_code_of_its_kind_and_the_clis_words(
    slipway: Slipway, exits: int, says: str, code: int
) -> None:
    done = slipway("preview", "dev", exits=exits, says=says)
    assert done.returncode == code
    assert says in done.stderr


def test_unknown_environment_is_refused_before_the_cli_is_asked(
    slipway: Slipway, told: Callable[[], list[str]]
) -> None:
    done = slipway("up", "prud", "--yes")
    assert done.returncode == 2
    assert "no environment 'prud'" in done.stderr
    assert told() == []


def test_missing_cli_is_named_with_the_way_out(project: Path, tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PULUMI_BACKEND_URL": "s3://state"}
    argv = [sys.executable, "-m", "slipway.cli", "--project-dir", str(project), "up", "dev", "--yes"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "the Pulumi CLI is not installed" in done.stderr
    assert "slipway --sandbox" in done.stderr
