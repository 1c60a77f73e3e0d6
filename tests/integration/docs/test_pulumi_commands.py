"""Every `pulumi …` in the pages is a command of the real CLI, with these options."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUOTED = re.compile(r"`(pulumi [^`\n]+)`|^ *\$ (pulumi .*)$", re.MULTILINE)
PLACEHOLDER = re.compile(r"<[^>]*>|…")
SUBCOMMANDS = "Available Commands:"


def commands() -> Iterator[tuple[str, str]]:
    """Each command once, with the first page that has it; what a reader fills in is filled in."""
    found: dict[str, str] = {}
    for page in PAGES:
        for first, second in QUOTED.findall(page.read_text()):
            found.setdefault(PLACEHOLDER.sub("dev", first or second), page.relative_to(ROOT).as_posix())
    yield from found.items()


COMMANDS = list(commands())


@pytest.fixture(scope="module")
def pulumi(cli_folder: Path) -> str:
    """The CLI that the sandbox uses."""
    return str(cli_folder / "pulumi")


def refusal_of(pulumi: str, command: str, home: Path) -> str | None:
    """What the CLI, asked for help with these arguments, has against them."""
    words = shlex.split(command, comments=True)[1:]
    if words[:1] == ["-C"]:  # the folder
        words = words[2:]
    environ = {"PATH": os.defpath, "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": str(home)}
    done = subprocess.run(
        [pulumi, *words, "--help"], capture_output=True, text=True, check=False, timeout=60, env=environ
    )
    if done.returncode:
        return done.stderr.strip()
    usage = re.search(r"^Usage:\n\s+pulumi ?([a-z -]*)", done.stdout, re.MULTILINE)
    path = usage[1].split() if usage else []
    aliases = re.search(r"^Aliases:\n\s+(.*)", done.stdout, re.MULTILINE)
    named, after = words[: len(path)], words[len(path) :]
    known = named == path or (aliases and named[:-1] == path[:-1] and named[-1] in aliases[1].split(", "))
    if not known or (SUBCOMMANDS in done.stdout and after and not after[0].startswith("-")):
        return f"no such command; the nearest is `pulumi {' '.join(path)}`"
    return None


@pytest.mark.parametrize(("command", "page"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_pulumi_command_is_one_that_exists(pulumi: str, command: str, page: str, tmp_path: Path) -> None:
    assert refusal_of(pulumi, command, tmp_path) is None


def test_the_check_sees_wrong_commands_and_many_right_ones(pulumi: str, tmp_path: Path) -> None:
    assert "unknown flag" in str(refusal_of(pulumi, "pulumi up --now", tmp_path))
    assert "no such command" in str(refusal_of(pulumi, "pulumi stack ship dev", tmp_path))
    assert len(COMMANDS) > 12
