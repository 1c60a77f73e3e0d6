"""A loopback address per load balancer, remembered across restarts."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from pathlib import Path

from slipway.errors import MachineError
from slipway.sandbox.ports import LOAD_BALANCER_NETWORK as NETWORK

FIRST, LAST = 1, 254


class AddressBook:
    """`127.0.10.<n>` by load balancer ARN, kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._addresses: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def address_of(self, arn: str) -> str:
        """The address of the load balancer; the lowest free one when it has none yet."""
        with self._lock:
            if arn not in self._addresses:
                self._addresses[arn] = self._free()
                self._save()
            return self._addresses[arn]

    def keep_only(self, arns: Collection[str]) -> None:
        """Give back the addresses of load balancers that are gone."""
        with self._lock:
            gone = self._addresses.keys() - set(arns)
            for arn in gone:
                del self._addresses[arn]
            if gone:
                self._save()

    def _free(self) -> str:
        taken = set(self._addresses.values())
        for number in range(FIRST, LAST + 1):
            if (address := f"{NETWORK}.{number}") not in taken:
                return address
        raise MachineError(
            f"all {LAST} addresses for load balancers are taken", remedy="delete load balancers that nobody needs"
        )

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._addresses, indent=1))
        temporary.replace(self._path)
