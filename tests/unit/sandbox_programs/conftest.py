"""A Go that compiles nothing: it writes what it is asked for, and fails as the test says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.sandbox.go_programs import binaries, groups
from slipway.sandbox.paths import SandboxPaths

GO = """\
#!/bin/sh
# $FAKE: calls (a log), version, fails (a text: the build's error), held and release (pipes: a build waits between them).
echo "$*" >> "$FAKE/calls"
case "$1" in
env) cat "$FAKE/version"; exit ;;
list) exit ;;
mod)
    # A module that a folder stands for is not downloaded.
    module=$(echo "${4%%=*}" | tr / -)
    if [ "$2" = edit ]; then touch "replaced-$module"; exit; fi
    if [ ! -f "replaced-$module" ]; then echo "{\\"Dir\\": \\"$FAKE/modules/$module\\"}"; fi
    exit ;;
esac
if [ -p "$FAKE/held" ]; then echo $$ > "$FAKE/held"; read -r _ < "$FAKE/release"; fi
if [ -f "$FAKE/fails" ]; then cat "$FAKE/fails" >&2; exit 1; fi
while [ "$1" != -o ]; do shift; done
output=$2; shift 2
for package in "$@"; do echo "$package" >&2; echo "built $package" > "$output${package##*/}"; done
"""


class FakeGo:
    """What the test tells it, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def calls(self, verb: str) -> list[str]:
        """The command lines that begin with the verb."""
        log = self.folder / "calls"
        return [line for line in log.read_text().splitlines() if line.startswith(verb)] if log.exists() else []

    def set_version(self, version: str) -> None:
        """What `go env GOVERSION` says from now on."""
        (self.folder / "version").write_text(f"{version}\n")
        groups.fingerprint.cache_clear()

    def fail_with(self, output: str) -> None:
        """Let builds write this and fail."""
        (self.folder / "fails").write_text(output)

    def work_again(self) -> None:
        """Let builds succeed."""
        (self.folder / "fails").unlink()


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    """The only program called `go` on the PATH."""
    folder = tmp_path / "fake"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "go"
    program.write_text(GO)
    program.chmod(0o755)
    for group in groups.GROUPS:
        for file in (*group.embedded, *group.beside):
            source = folder / "modules" / file.module.replace("/", "-") / file.path
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(json.dumps({"name": "kubernetes"}))
        for patch in group.patches:
            module = folder / "modules" / patch.module.replace("/", "-")
            (module / patch.folder / patch.path).parent.mkdir(parents=True, exist_ok=True)
            with (module / patch.folder / patch.path).open("a") as source:  # several patches may be of one file
                source.write(f"x := {patch.before}{patch.until}\n")
            (module / "go.mod").write_text(f"module {patch.module}\n")
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(binaries, "FREE_DISK_MIB", 1)
    fake = FakeGo(folder)
    fake.set_version("go1.99.0")
    return fake


@pytest.fixture
def paths(tmp_path: Path) -> SandboxPaths:
    """A home of its own."""
    return SandboxPaths(tmp_path / "home")


def quietly(_text: str) -> None:
    """Progress that is not looked at."""
