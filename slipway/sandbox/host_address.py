"""The machine's address for pods, on the loopback device while the sandbox is up."""

from __future__ import annotations

import contextlib

from slipway.errors import MachineError, OperationError
from slipway.sandbox.administration import run
from slipway.sandbox.firewall import HOST_CHAIN, ensure_chain, remove_chain
from slipway.sandbox.ports import HOST_ADDRESS


def add_host_address() -> None:
    """Have the address, closed to other machines; there already is fine."""
    try:
        ensure_chain(HOST_CHAIN)
        run("ip", "address", "replace", f"{HOST_ADDRESS}/32", "dev", "lo")
    except OperationError as error:
        raise MachineError(str(error), remedy="is this a container without NET_ADMIN?") from error


def remove_host_address() -> None:
    """Take it away; gone already is fine."""
    with contextlib.suppress(MachineError):  # where its programs are not installed, it was never there
        run("ip", "address", "delete", f"{HOST_ADDRESS}/32", "dev", "lo", check=False)
        remove_chain(HOST_CHAIN)
