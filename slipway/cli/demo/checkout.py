"""The demo's own checkout of the project: what a developer's clone would be, so that no real clone is changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from slipway.errors import OperationError

GIT_TIMEOUT_SECONDS = 60
AUTHOR = ("-c", "user.name=Slipway demo", "-c", "user.email=demo@slipway.invalid", "-c", "commit.gpgsign=false")
V2 = "v2-currency.patch"
BROKEN = "v3-broken.patch"


class Checkout:
    """A git repository under the sandbox's folder, fed from the project."""

    def __init__(self, project: Path, folder: Path) -> None:
        self._project = project
        self.folder = folder

    @property
    def version(self) -> str:
        """The app's version as checked out; empty before the first sync."""
        file = self.folder / "app" / "VERSION"
        return file.read_text().strip() if file.is_file() else ""

    def sync(self) -> None:
        """Take the project's files as they are; keep what an earlier demo has made of the app."""
        version = self.version
        kept = bool(version) and not version.startswith("1.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / ".git").is_dir():
            self._git("init", "--quiet", "--initial-branch=main")
        self._copy_files()
        if kept:
            self._git("apply", str(self._project / "demo" / V2))
            (self.folder / "app" / "VERSION").write_text(f"{version}\n")
        self._commit("Take the project as it is")

    def apply_v2(self) -> None:
        """A developer adds a column: code, expand and contract migration."""
        self._git("apply", str(self._project / "demo" / V2))
        self._commit("Give orders a currency")

    def bump(self) -> None:
        """A developer makes a small change: the next patch version."""
        major, minor, patch = self.version.split(".")
        (self.folder / "app" / "VERSION").write_text(f"{major}.{minor}.{int(patch) + 1}\n")
        self._commit("Release the next patch version")

    def break_it(self) -> None:
        """A developer makes a mistake that the tests do not see. Only code breaks: the version stays its own line."""
        self._git("apply", "--include=app/orders/*", str(self._project / "demo" / BROKEN))
        (self.folder / "app" / "VERSION").write_text(f"3.0.{self.version.replace('.', '')}\n")
        self._commit("List orders faster")

    def revert(self) -> None:
        """The mistake is taken back."""
        self._git(*AUTHOR, "revert", "--no-edit", "HEAD")

    def _copy_files(self) -> None:
        listed = self._run(
            "git", "-C", str(self._project), "ls-files", "-z", "--cached", "--others", "--exclude-standard"
        )
        for entry in self.folder.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for name in filter(None, listed.split("\0")):
            source, target = self._project / name, self.folder / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        # Pulumi.yaml names it: programs and policies run with the packages that this command runs with.
        (self.folder / ".venv").symlink_to(sys.prefix)

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        if self._git("status", "--porcelain"):
            self._git(*AUTHOR, "commit", "--quiet", "--message", message)

    def _git(self, *arguments: str) -> str:
        return self._run("git", "-C", str(self.folder), *arguments)

    def _run(self, *argv: str) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=GIT_TIMEOUT_SECONDS)
        if done.returncode:
            raise OperationError(f"{' '.join(argv)}: {done.stderr.strip()}", where=str(self.folder))
        return done.stdout
