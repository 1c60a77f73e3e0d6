"""Which Pulumi CLI runs, and whether its version fits."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import MachineError

OLDEST = (3, 259, 0)
"""The oldest CLI that this was tried with. Its exit codes and its event log are relied on."""
NEXT_MAJOR = 4
"""Pulumi breaks its promises in major versions only."""
VERSION_TIMEOUT_SECONDS = 60
VERSIONS_FILE = "pulumi-versions.json"


@dataclass(frozen=True)
class PulumiCli:
    """One `pulumi` executable whose version fits."""

    program: str
    version: str


def find_cli(name: str = "pulumi", *, path: str | None = None, cache: Path | None = None) -> PulumiCli:
    """The CLI of that name, or at that place, on `path` (default: PATH).

    `cache`: a folder where the version of an executable is kept, so that it is asked for once.
    MachineError when there is none, when its version does not fit, or when it does not start.
    """
    program = shutil.which(name, path=path)
    if program is None:
        raise MachineError(
            "the Pulumi CLI is not installed",
            remedy="install it (https://www.pulumi.com/docs/iac/download-install/), or use the sandbox, which brings one: "
            "`slipway --sandbox …`",
        )
    version = _cached_version(program, cache) if cache else _ask_version(program)
    problem = misfit(version)
    if problem:
        raise MachineError(
            problem, where=program, remedy=f"install a version from {_text(OLDEST)} to {NEXT_MAJOR - 1}.x"
        )
    return PulumiCli(program, version)


def misfit(version: str) -> str:
    """Why a version cannot be used; empty if it can."""
    numbers = _numbers(version)
    if numbers is None:
        return f"it names no version: {version!r}"
    if numbers < OLDEST:
        return f"Pulumi {version} is too old"
    return f"Pulumi {version} is too new" if numbers[0] >= NEXT_MAJOR else ""


def _cached_version(program: str, cache: Path) -> str:
    file = cache / VERSIONS_FILE
    found = Path(program).resolve()
    status = found.stat()
    key = f"{found}:{status.st_size}:{status.st_mtime_ns}"
    try:
        known: dict[str, str] = json.loads(file.read_text())
        if isinstance(known[key], str):  # pyright: ignore[reportUnnecessaryIsInstance] - a damaged file
            return known[key]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    version = _ask_version(program)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps({key: version}))
        temporary.replace(file)
    except OSError:
        pass  # asked again next time
    return version


def _ask_version(program: str) -> str:
    environ = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [program, "version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_SECONDS,
            check=False,
            env=environ,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"it does not start: {error}", where=program) from error
    if done.returncode:
        raise MachineError(f"`pulumi version` failed: {done.stderr.strip()[-500:]}", where=program)
    return done.stdout.strip().removeprefix("v")


def _numbers(version: str) -> tuple[int, int, int] | None:
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
