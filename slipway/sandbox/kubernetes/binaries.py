"""Programs that no package offers, built from their Go modules once and kept by the hash of what they are made of."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from slipway.errors import MachineError, OperationError
from slipway.sandbox.paths import SandboxPaths

MODULES_FOLDER = Path(__file__).parent / "go"
BUILD_TIMEOUT_SECONDS = 3600
PROGRESS_SECONDS = 10
FREE_DISK_MIB = 8 * 1024
"""A cold build of all four fills about 5 GiB of Go's caches; measured 2026-11."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Module:
    """One Go module beside this file, and what comes of it."""

    name: str
    programs: tuple[str, ...]
    """Names the binary answers to."""
    ldflags: str = "-s -w"
    packages: int
    """How many packages a cold build compiles, for the progress text only."""


_VERSION = "k8s.io/component-base/version"
KUBERNETES = Module(
    name="kubernetes",
    programs=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    # Unset, every component would report v0.0.0-master, which clients take for "no feature known".
    ldflags=f"-s -w -X {_VERSION}.gitVersion=v1.34.4 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=34",
    packages=2600,
)
COREDNS = Module(name="coredns", programs=("coredns",), packages=1000)
METRICS_SERVER = Module(name="metrics-server", programs=("metrics-server",), packages=1000)
PAUSE = Module(name="pause", programs=("pause",), packages=60)
MODULES = (PAUSE, KUBERNETES, COREDNS, METRICS_SERVER)


class Binaries:
    """Paths of the built programs."""

    def __init__(self, paths: SandboxPaths) -> None:
        self._cache = paths.cache / "kubernetes"

    def path(self, program: str) -> Path:
        """Where a program is, built or not yet."""
        for module in MODULES:
            if program in module.programs:
                return self.folder(module) / program
        raise KeyError(program)

    def folder(self, module: Module) -> Path:
        """The cache folder of the module's present sources; it exists only when the build is complete."""
        return self._cache / f"{module.name}-{_fingerprint(module)}"

    def prepare(self, progress: Callable[[str], None] | None = None) -> None:
        """Build what is missing, one module after the other: each uses all cores by itself.

        From nothing this takes about 10 minutes on 2 cores. Raises MachineError without Go, OperationError when a build fails.
        """
        for module in MODULES:
            if not self.folder(module).is_dir():
                self._build(module, progress or (lambda text: log.info("building", detail=text)))

    def _build(self, module: Module, progress: Callable[[str], None]) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / f"{module.name}.lock").open("w") as lock:
            progress(f"{module.name}: waiting for another build") if _held(lock) else None
            fcntl.flock(lock, fcntl.LOCK_EX)
            target = self.folder(module)
            if target.is_dir():
                return
            _refuse_full_disk(self._cache)
            with tempfile.TemporaryDirectory(dir=self._cache, prefix=f".{module.name}-") as scratch:
                output = Path(scratch) / "made"
                output.mkdir(mode=0o755)
                started = time.monotonic()
                _compile(module, output / module.name, progress)
                for program in module.programs:
                    if program != module.name:
                        (output / program).symlink_to(module.name)
                output.rename(target)
            log.info("built", module=module.name, seconds=round(time.monotonic() - started, 1))


def _held(lock: object) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # pyright: ignore[reportArgumentType]
    except BlockingIOError:
        return True
    return False


def _fingerprint(module: Module) -> str:
    digest = hashlib.sha256(f"{go_version()} {module.ldflags} {' '.join(module.programs)}".encode())
    for name in ("go.mod", "go.sum", "main.go"):
        path = MODULES_FOLDER / module.name / name
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()[:16]


_go_version: list[str] = []


def go_version() -> str:
    """What `go version` says, asked once; raises MachineError when there is no Go."""
    if not _go_version:
        if shutil.which("go") is None:
            raise MachineError("Go is not installed", remedy="Install Go 1.24 or newer and put `go` on the PATH.")
        # GOTOOLCHAIN=local: the answer must not depend on the folder that it is asked in.
        said = subprocess.run(
            ["go", "version"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
        _go_version.append(said.stdout.strip())
    return _go_version[0]


def _refuse_full_disk(folder: Path) -> None:
    free_mib = shutil.disk_usage(folder).free // (1024 * 1024)
    if free_mib < FREE_DISK_MIB:
        raise MachineError(
            f"{free_mib} MiB are free, building Kubernetes needs {FREE_DISK_MIB}",
            where=str(folder),
            remedy="Free some disk space, or set SLIPWAY_HOME to a folder on a larger disk.",
        )


def _compile(module: Module, output: Path, progress: Callable[[str], None]) -> None:
    command = ["go", "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", module.ldflags, "-o", str(output), "."]
    progress(f"{module.name}: building from source")
    child = subprocess.Popen(
        command,
        cwd=MODULES_FOLDER / module.name,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
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
                compiled = sum(1 for line in said if not line.startswith("go: "))
                progress(f"{module.name}: {compiled} of about {module.packages} packages after {seconds:.0f} s")
                if seconds > BUILD_TIMEOUT_SECONDS:
                    raise OperationError(f"building {module.name} took over {BUILD_TIMEOUT_SECONDS} s") from None
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(timeout=10)
    reader.join(timeout=10)
    if code != 0:
        raise OperationError(
            f"building {module.name} failed:\n{''.join(said[-15:])}", where=str(MODULES_FOLDER / module.name)
        )
