"""Accounts of the children that are not root: how a command is run as one, and how one reaches and owns its folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
from collections.abc import Generator, Sequence
from pathlib import Path

from slipway.errors import MachineError
from slipway.sandbox.administration import run

SERVICES = Path("/run/slipway-services")
"""Folders of the services, mounted a second time."""
WRITTEN_OUT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""The environment of such a child: nothing of the caller's, whose proxies may hold passwords."""


def as_account(account: str, argv: Sequence[str]) -> list[str]:
    """The command as the account and its own group, with no capability and no way to get one."""
    dropped = ("--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    return ["setpriv", f"--reuid={account}", f"--regid={_entry(account).pw_gid}", *dropped, "--", *argv]


def ensure_account(account: str) -> None:
    """Make a system account as Debian's packages do: no password, no shell, no home."""
    nowhere = ("--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin")
    with _alone():
        if account not in {entry.pw_name for entry in pwd.getpwall()}:
            run("useradd", "--system", "--user-group", *nowhere, account)


def remove_account(account: str) -> None:
    """Remove an account of `ensure_account`; none is fine."""
    run("userdel", account, check=False)


def reachable(folder: Path) -> Path:
    """The folder by a path that every account can walk: its home folder may be closed, as /root is. Mounts it there."""
    mounted = second_mount(folder)
    with _alone():
        if not (mounted.exists() and mounted.samefile(folder)):
            unreachable(folder)  # of a folder that was removed meanwhile: nothing can be mounted over it
            mounted.mkdir(parents=True, exist_ok=True)
            run("mount", "--bind", str(folder), str(mounted))
    return mounted


def unreachable(*folders: Path) -> None:
    """Take the second mounts away, of all services unless folders are named."""
    for mounted in map(second_mount, folders) if folders else SERVICES.glob("*"):
        while run("umount", "--lazy", str(mounted), check=False).returncode == 0:
            pass
        with contextlib.suppress(OSError):  # never more than an empty folder: it might be mounted still
            mounted.rmdir()


def second_mount(folder: Path) -> Path:
    """Where `reachable` mounts a folder."""
    return SERVICES / f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def _alone() -> Generator[None]:
    """One change at a time, among all threads and processes: clusters start at once and share programs and account."""
    SERVICES.mkdir(parents=True, exist_ok=True)
    handle = os.open(SERVICES, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def hand_over(folder: Path, account: str) -> None:
    """Make a folder, and all that is in it, the account's alone."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    owner = _entry(account)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def let_read(path: Path, account: str) -> None:
    """Let the account's group read a file, or pass through a folder, and nobody else; root keeps owning it."""
    os.chown(path, 0, _entry(account).pw_gid)
    path.chmod(0o710 if path.is_dir() else 0o640)


def _entry(account: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(account)
    except KeyError:
        raise MachineError(
            f"this machine has no account {account}", remedy="install the service's Debian package, which makes it"
        ) from None
