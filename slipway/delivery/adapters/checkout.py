"""The checkout: what a release made from it would be."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slipway.delivery.migrations.history import load_revisions
from slipway.delivery.model.release import DIRTY
from slipway.delivery.ports import SourceFacts
from slipway.documents import mapping_in, read_text, read_toml, read_yaml
from slipway.errors import UsageError

PROGRAM_FOLDERS = ("infra", "components")
LOCK_FILE = "requirements.lock"
GIT_TIMEOUT_SECONDS = 20
UNVERSIONED = "none"
STACK_FILES = "Pulumi.*.yaml"
LONGEST_VERSION = 100
VERSION = re.compile(rf"[!-~]{{1,{LONGEST_VERSION}}}")
SALT = re.compile(rb"^encryptionsalt:.*\n?", re.MULTILINE)
"""The CLI writes it when it first runs `up` with a passphrase. It says nothing about the environment."""


class Checkout:
    """Implements `ports.Source` for a project folder. Reading again gives what is there then: a demo changes it between releases."""

    def __init__(self, project_dir: Path, app_dir: Path) -> None:
        self._project = project_dir
        self._app = app_dir

    def facts(self) -> SourceFacts:
        """See `Source.facts`."""
        return SourceFacts(
            version=_version(self._app),
            git_commit=git_commit(self._project),
            program_hash=hash_files(
                self._project, (path for folder in PROGRAM_FOLDERS for path in (self._project / folder).rglob("*.py"))
            ),
            lock_hash=hash_files(self._project, [self._project / LOCK_FILE]),
            config_hash=hash_files(self._project, self._project.glob("Pulumi*.yaml"), without=SALT),
            policy_version=_policy_version(self._project / "policies"),
            revisions=load_revisions(self._app),
        )


def hash_files(root: Path, files: Iterable[Path], *, without: re.Pattern[bytes] | None = None) -> str:
    """Hex SHA-256 over names and contents, in the order of the names; files that are not there are left out.

    `without`: parts of the contents that say nothing.
    """
    digest = hashlib.sha256()
    for path in sorted(file for file in files if file.is_file()):
        name, content = str(path.relative_to(root)).encode(), path.read_bytes()
        content = without.sub(b"", content) if without else content
        # Lengths keep "ab" + "c" apart from "a" + "bc".
        digest.update(f"{len(name)}:{len(content)}:".encode() + name + content)
    return digest.hexdigest()


def _version(app: Path) -> str:
    plain, project = app / "VERSION", app / "pyproject.toml"
    version: Any = read_text(plain).strip() if plain.is_file() else None
    if not version and project.is_file():
        version = mapping_in(read_toml(project), "project", where=str(project)).get("version")
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise UsageError(
            f"the service has no version, in one word of at most {LONGEST_VERSION} characters",
            where=str(plain),
            remedy="write it into that file, for example 1.4.0",
        )
    return version


def git_commit(project: Path) -> str:
    """The full id, followed by `DIRTY` when the work tree differs; `none` outside a repository."""
    commit = git_output(project, "rev-parse", "HEAD")
    if not commit:
        return UNVERSIONED
    return f"{commit}{DIRTY}" if _is_changed(project) else commit


def _is_changed(project: Path) -> bool:
    """Whether the checkout differs from its commit by more than the salt that the Pulumi CLI writes into stack files."""
    if git_output(project, "status", "--porcelain", "--", ".", f":(exclude){STACK_FILES}"):
        return True
    if git_output(project, "ls-files", "--others", "--exclude-standard", "--", STACK_FILES):
        return True
    changed = git_output(project, "diff", "--relative", "--name-only", "HEAD", "--", STACK_FILES).splitlines()
    return any(
        _unsalted(git_output(project, "show", f"HEAD:./{name}")) != _unsalted(_text(project / name)) for name in changed
    )


def _unsalted(text: str) -> str:
    return SALT.sub(b"", text.encode()).decode().strip()


def _text(path: Path) -> str:
    return read_text(path) if path.is_file() else ""


def git_output(project: Path, *arguments: str) -> str:
    """What git says; empty when it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _policy_version(policies: Path) -> str:
    """The pack's own version and a digest of its rules: a changed rule is another policy, whatever its file says."""
    pack = policies / "PulumiPolicy.yaml"
    if not pack.is_file():
        return UNVERSIONED
    version = read_yaml(pack).get("version", "0")
    return f"{version}+{hash_files(policies, policies.rglob('*.py'))[:8]}"
