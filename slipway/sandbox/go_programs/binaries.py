"""The cache of built programs: what is missing is built, by one process at a time."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from slipway.errors import MachineError, OperationError
from slipway.log import get_logger
from slipway.sandbox.go_programs.compiling import compile_group
from slipway.sandbox.go_programs.groups import GO_FOLDER, GROUPS, Group, fingerprint
from slipway.sandbox.go_programs.toolchain import DISK_REMEDY, Progress, download_for
from slipway.sandbox.paths import SandboxPaths

FREE_DISK_MIB = 8 * 1024
"""A cold build of everything fills about 6 GiB of Go's caches; measured 2026-11."""

log = get_logger(__name__)


class Binaries:
    """Paths of the built programs."""

    def __init__(self, paths: SandboxPaths) -> None:
        self._cache = paths.cache / "programs"

    def path(self, program: str) -> Path:
        """Where a program is, built or not yet."""
        for group in GROUPS:
            if program in group.programs:
                return self.folder(group) / program
        raise KeyError(program)

    def folder(self, group: Group) -> Path:
        """The cache folder of the group's present sources."""
        return self._cache / f"{group.name}-{fingerprint(group)}"

    def is_built(self, group: Group) -> bool:
        """Whether all of its programs are there."""
        folder = self.folder(group)
        return all((folder / program).is_file() for program in group.programs)

    def prepare(self, progress: Progress | None = None, *, only: Collection[Group] = GROUPS) -> None:
        """Build what is missing, one group after the other: each uses all cores by itself.

        From nothing this takes about 15 minutes on 2 cores. Raises MachineError for what the machine lacks (Go, a network, disk space),
        OperationError when a build fails. The next call continues.
        """
        missing = [group for group in GROUPS if group in only and not self.is_built(group)]
        if not missing:
            return
        try:
            with _scratch(self._cache) as scratch, _downloading(scratch, missing[1:]):
                for group in missing:
                    self._build(group, scratch, progress or _log_progress)
        except OSError as error:
            raise MachineError(
                f"the cache folder cannot be used: {error.strerror or error}",
                where=str(error.filename or self._cache),
                remedy="Remove what is in its place, correct its owner, free disk space, or set SLIPWAY_HOME to another folder.",
            ) from error

    def _build(self, group: Group, scratch: Path, tell: Progress) -> None:
        with _locked(self._cache / f"{group.name}.lock", lambda: tell(f"{group.name}: waiting for another build")):
            if self.is_built(group):
                return
            _refuse_full_disk(self._cache)
            started = time.monotonic()
            tell(f"{group.name}: building from source")
            sources = scratch.with_name(group.name)
            shutil.copytree(GO_FOLDER, sources)
            output = scratch.with_name(f"{group.name}-out")
            output.mkdir(mode=0o755)
            compile_group(group, sources, output, tell)
            target = self.folder(group)
            _remove(target)
            output.rename(target)
            log.info("built", group=group.name, seconds=round(time.monotonic() - started, 1))


@contextmanager
def _scratch(cache_folder: Path) -> Generator[Path]:
    """A copy of the Go sources to build in: the installed ones may be read-only, and some files are added.

    What a killed build left behind is removed: its lock was released by the kernel.
    """
    work = cache_folder / ".work"
    work.mkdir(parents=True, exist_ok=True)
    with _locked(cache_folder / "work.lock"):
        for left in work.iterdir():
            _remove_abandoned(left)
        root = Path(tempfile.mkdtemp(dir=work))
        held = (root / "lock").open("w")
        _try_lock(held)
    try:
        with held:
            shutil.copytree(GO_FOLDER, root / "go")
            yield root / "go"
    finally:
        _remove(root)


def _remove_abandoned(root: Path) -> None:
    with (root / "lock").open("a") as lock:
        abandoned = _try_lock(lock)
    if abandoned:
        _remove(root)


@contextmanager
def _downloading(scratch: Path, groups: Collection[Group]) -> Generator[None]:
    """Download what the groups need while the one before them compiles. A failure is left to the group's own build, which reports it."""

    def download() -> None:
        for group in groups:
            try:
                download_for(scratch, group.packages)
            except (MachineError, OperationError) as error:
                log.info("not downloaded ahead", group=group.name, why=str(error))
                return

    thread = threading.Thread(target=download, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def _locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Generator[None]:
    with path.open("w") as lock:
        if not _try_lock(lock):
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _try_lock(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _log_progress(text: str) -> None:
    log.info("building", detail=text)


def _refuse_full_disk(folder: Path) -> None:
    free_mib = shutil.disk_usage(folder).free // (1024 * 1024)
    if free_mib < FREE_DISK_MIB:
        raise MachineError(
            f"{free_mib} MiB are free, and a build from source needs {FREE_DISK_MIB}",
            where=str(folder),
            remedy=DISK_REMEDY,
        )
