"""Shows the names of Route 53 to this machine's programs, as far as they lead to a load balancer of the sandbox."""

# moto is not typed strictly.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from moto.route53.models import RecordSet

from slipway.errors import MachineError
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.zones import public_zones
from slipway.sandbox.hosts_file import HostsFile
from slipway.sandbox.names import Published, names_of_machine
from slipway.sandbox.ports import LOAD_BALANCER_NETWORK


class MachineNames:
    """Keeps the machine's file of names to what Route 53 says."""

    def __init__(self, hosts: HostsFile, network: str = LOAD_BALANCER_NETWORK) -> None:
        self._hosts = hosts
        self._network = network
        self._lock = threading.Lock()

    def on_api_change(self, service: str) -> None:
        """Before the caller has its answer. Route 53 has the record either way: supervision says why the machine does not."""
        if service == "route53":
            with contextlib.suppress(MachineError):
                self.refresh()

    def refresh(self) -> None:
        """Bring the file to what is wanted now. Cheap where nothing changed. Raises MachineError where it cannot be written."""
        with self._lock:
            with API_LOCK:
                records = list(_public_records())
            self._hosts.show(names_of_machine(records, self._network))


def _public_records() -> Iterator[Published]:
    """Of all accounts' public zones, of each the names that are its account's; a zone below another one has the last word about them."""
    zones = public_zones()
    for zone in sorted(zones, key=lambda zone: zone.name.count(".")):
        for record in zone.published(zones):
            yield from _published(record)


def _published(record: RecordSet) -> Iterator[Published]:
    if record.type == "A" and record.alias_target:
        yield Published.of(record.name, [str(record.alias_target["DNSName"])])
    elif record.type in {"A", "CNAME"}:
        yield Published.of(record.name, [str(value) for value in record.records or ()])
