"""The machine's address for pods, on the loopback device while the sandbox is up."""

from __future__ import annotations

import contextlib

from slipway.errors import MachineError, OperationError
from slipway.sandbox.administration import run
from slipway.sandbox.firewall import ensure_chain, ensure_chain_exists, remove_chain
from slipway.sandbox.packet_rules import DATABASES, host_chain
from slipway.sandbox.ports import HOST_ADDRESS
from slipway.sandbox.resolvers import machine_nameservers


def add_host_address() -> None:
    """Have the address, closed to other machines; there already is fine."""
    try:
        ensure_chain_exists(DATABASES)
        ensure_chain(host_chain(machine_nameservers()))
        run("ip", "address", "replace", f"{HOST_ADDRESS}/32", "dev", "lo")
    except OperationError as error:
        raise MachineError(str(error), remedy="is this a container without NET_ADMIN?") from error


def remove_host_address() -> None:
    """Take it away; gone already is fine."""
    with contextlib.suppress(MachineError):  # where its programs are not installed, it was never there
        run("ip", "address", "delete", f"{HOST_ADDRESS}/32", "dev", "lo", check=False)
        host = host_chain([])
        remove_chain(host.name, hook=host.hook)
        remove_chain(DATABASES)
