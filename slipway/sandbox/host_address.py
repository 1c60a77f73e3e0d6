"""The machine's address for pods, on the loopback device while the sandbox is up."""

from __future__ import annotations

import subprocess

import psutil

from slipway.errors import MachineError
from slipway.sandbox.paths import HOST_ADDRESS

COMMAND_TIMEOUT_SECONDS = 30


def add_host_address() -> None:
    """Have the address; there already is fine."""
    addresses = [address.address for address in psutil.net_if_addrs().get("lo", [])]
    if HOST_ADDRESS not in addresses:
        _ip("addr", "add", f"{HOST_ADDRESS}/32", "dev", "lo")


def remove_host_address() -> None:
    """Take it away; gone already is fine."""
    addresses = [address.address for address in psutil.net_if_addrs().get("lo", [])]
    if HOST_ADDRESS in addresses:
        _ip("addr", "del", f"{HOST_ADDRESS}/32", "dev", "lo")


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS)
    except subprocess.CalledProcessError as error:
        raise MachineError(
            f"ip {' '.join(arguments)} failed: {error.stderr.strip()}", remedy="is this a container without NET_ADMIN?"
        ) from error
