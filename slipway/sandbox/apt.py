"""The Debian packages that the sandbox's programs come from: found missing, and installed without starting any service."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from slipway.errors import MachineError

PACKAGES = (
    "docker.io",
    "containerd",
    "runc",
    "etcd-server",
    "haproxy",
    "docker-registry",
    "debootstrap",
    "containernetworking-plugins",
    "iptables",
    "ethtool",
    "conntrack",
    "iproute2",
    "socat",
    "postgresql-15",
)
PROGRAMS = {
    "docker.io": "dockerd",
    "containerd": "containerd",
    "runc": "runc",
    "etcd-server": "etcd",
    "haproxy": "haproxy",
    "docker-registry": "docker-registry",
    "debootstrap": "debootstrap",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "ethtool": "ethtool",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "socat": "socat",
    "postgresql-15": "/usr/lib/postgresql/15/bin/initdb",
}
"""What each package is wanted for. A program from elsewhere (Docker's own packages, say) does as well."""
INSTALL_TIMEOUT_SECONDS = 900
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program before a package starts a service; 101 forbids it. Ours would find their ports taken."""


def missing_packages() -> list[str]:
    """Packages whose program is not on this machine."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [package for package in PACKAGES if shutil.which(PROGRAMS[package], path=path) is None]


def install_packages(packages: Sequence[str], progress: Callable[[str], None]) -> None:
    """Install packages; none of their services is started. Raises MachineError with the end of apt's output."""
    if shutil.which("apt-get") is None:
        raise MachineError(
            f"this machine lacks {', '.join(packages)} and has no apt-get",
            remedy="use Debian 12, or install these programs by hand",
        )
    progress(f"installing {', '.join(packages)}")
    started = time.monotonic()
    with _services_forbidden():
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *packages)
    progress(f"installed {len(packages)} packages in {time.monotonic() - started:.0f} s")


def _apt(verb: str, *arguments: str) -> None:
    argv = [
        "apt-get",
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=120",
        "-o",
        "Dpkg::Options::=--force-confold",
        verb,
        *arguments,
    ]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS, env=environment
        )
    except subprocess.CalledProcessError as error:
        output = f"{error.stdout}\n{error.stderr}".strip().splitlines()
        raise MachineError(
            f"apt-get {verb} failed:\n" + "\n".join(output[-8:]),
            remedy="run the command by hand, mend what it says, and start again",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise MachineError(
            f"apt-get {verb} took longer than {INSTALL_TIMEOUT_SECONDS} s",
            remedy="look at the network and at other apt processes, then start again",
        ) from error


@contextmanager
def _services_forbidden() -> Generator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
