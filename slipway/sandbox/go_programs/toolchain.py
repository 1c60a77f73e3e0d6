"""Running Go: its version, its modules, and `go build` with progress. Each of its failures is one error with a remedy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.errors import MachineError, OperationError, SlipwayError

BUILD_TIMEOUT_SECONDS = 3600
DOWNLOAD_TIMEOUT_SECONDS = 1200
PROGRESS_SECONDS = 10
COMPILERS_GOGC = "400"
"""Compilers that collect garbage less often use 7 % less time, with -dwarf=false, and some hundred MiB each."""
DISK_REMEDY = "Free some disk space, or set SLIPWAY_HOME, GOCACHE and GOMODCACHE to folders on a larger disk. The next run continues."

Progress = Callable[[str], None]


def go_version(needed: str) -> str:
    """The version of the Go on PATH. Raises MachineError when there is none, or when it is older than `needed` (`1.26.6`)."""
    remedy = f"Install Go {needed} or newer and put `go` on the PATH."
    if shutil.which("go") is None:
        raise MachineError("Go is not installed", remedy=remedy)
    done = subprocess.run(
        ["go", "env", "GOVERSION"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env=go_environment(),
        check=False,
    )
    found = done.stdout.strip()
    if done.returncode != 0 or not found:
        raise MachineError(
            f"`go env GOVERSION` failed: {done.stderr.strip()}", where=shutil.which("go") or "go", remedy=remedy
        )
    if _numbers(found) < _numbers(needed):
        raise MachineError(
            f"Go {found.removeprefix('go')} is too old: {needed} is needed",
            where=shutil.which("go") or "go",
            remedy=remedy,
        )
    return found


def go_environment() -> dict[str, str]:
    """Static programs, made by the installed Go and no other, whatever workspace surrounds the folder."""
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def go_build(
    folder: Path, packages: Sequence[str], output: Path, *, ldflags: str, progress: Callable[[int, float], None]
) -> None:
    """Build main packages into `output`. `progress` is told the number of compiled packages and the seconds since the start."""
    argv = [
        "go",
        "build",
        "-v",
        "-trimpath",
        "-buildvcs=false",
        "-gcflags=all=-dwarf=false",  # what -ldflags=-s would throw away
        "-ldflags",
        ldflags,
        "-o",
        f"{output}{os.sep}",
        *packages,
    ]
    child = subprocess.Popen(
        argv,
        cwd=folder,
        env={**go_environment(), "GOGC": COMPILERS_GOGC},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    said: list[str] = []
    assert child.stderr is not None  # noqa: S101 - given as a pipe above
    reader = threading.Thread(target=said.extend, args=(child.stderr,), daemon=True)
    reader.start()
    started = time.monotonic()
    try:
        while True:
            try:
                code = child.wait(timeout=PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                seconds = time.monotonic() - started
                progress(sum(1 for line in said if not line.startswith("go: ")), seconds)
                if seconds > BUILD_TIMEOUT_SECONDS:
                    raise OperationError(
                        f"`go build` took over {BUILD_TIMEOUT_SECONDS} s", where=" ".join(packages)
                    ) from None
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(timeout=10)
        reader.join(timeout=10)
        child.stderr.close()
    if code != 0:
        raise build_fault("".join(said), " ".join(packages))


def download_for(folder: Path, packages: Sequence[str]) -> None:
    """Download the modules that the packages need, and no others: `go mod download` would fetch those of all their tests, too."""
    _run_go(folder, "list", "-e", "-deps", "-f", "{{.Name}}", *packages)


def module_folder(folder: Path, module: str) -> Path:
    """The folder of a required module in Go's module cache; downloads it."""
    document: dict[str, Any] = json.loads(_run_go(folder, "mod", "download", "-json", module))
    return Path(document["Dir"])


def replace_module(folder: Path, module: str, by: Path) -> None:
    """Let a copy stand for a module, in the folder's go.mod."""
    _run_go(folder, "mod", "edit", "-replace", f"{module}=./{by.relative_to(folder)}")


def build_fault(output: str, where: str) -> SlipwayError:
    """What went wrong, by what Go wrote."""
    for fault in _FAULTS:
        if found := re.search(f"^.*(?:{fault.pattern}).*$", output, re.MULTILINE | re.IGNORECASE):
            return fault.error(f"{fault.what}: {found[0].strip()}", where=where, remedy=fault.remedy)
    # With -v, Go also names each package that it compiles.
    end = "\n".join([line for line in output.splitlines() if " " in line.strip()][-15:])
    return OperationError(
        f"the build failed:\n{end}",
        where=where,
        remedy="Run it again: it continues. If it fails in the same way, `go clean -cache -modcache` empties Go's caches.",
    )


def _run_go(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["go", *arguments],
            cwd=folder,
            env=go_environment(),
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OperationError(
            f"downloading Go modules took over {DOWNLOAD_TIMEOUT_SECONDS} s",
            remedy="Check the network, then run it again: it continues.",
        ) from error
    if done.returncode != 0:
        # `go mod download -json` reports on stdout.
        raise build_fault(done.stderr + done.stdout, f"go {arguments[0]} {arguments[-1]}")
    return done.stdout


@dataclass(frozen=True)
class _Fault:
    pattern: str
    what: str
    remedy: str
    error: type[SlipwayError] = MachineError


_FAULTS = (
    _Fault("no space left on device|disk quota exceeded", "the disk is full", DISK_REMEDY),
    _Fault(
        "checksum mismatch|not a valid zip file|directory .* is missing",
        "Go's module cache is damaged",
        "Empty it with `go clean -modcache`, then run it again.",
        OperationError,
    ),
    _Fault(
        r"dial tcp|no such host|connection re(fused|set)|i/o timeout|TLS handshake|proxyconnect|unexpected EOF|reading https?://",
        "Go modules cannot be downloaded",
        "Check the network and GOPROXY (`go env GOPROXY`), then run it again: what was downloaded is kept.",
    ),
    _Fault(
        "signal: killed|cannot allocate memory",
        "the system killed the compiler, most likely for lack of memory",
        "Free some memory (4 GiB are needed), then run it again: it continues.",
    ),
    _Fault(
        "permission denied|read-only file system",
        "a folder of Go's caches cannot be written",
        "Correct its owner, or set GOCACHE and GOMODCACHE to other folders.",
    ),
    _Fault(
        "could not import|unexpected package data|internal compiler error|fingerprint mismatch",
        "Go's build cache is damaged",
        "Empty it with `go clean -cache`, then run it again.",
        OperationError,
    ),
)
"""The first that matches names the cause: a full disk, say, also shows as an import that fails."""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
