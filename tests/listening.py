"""What processes of a sandbox listen on, and what a neighbour on the network gets through to."""

from __future__ import annotations

import fnmatch
import ipaddress
import json
import socket
import subprocess
import sys
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from slipway.sandbox.ports import LISTENERS, Listener
from slipway.sandbox.processes import ProcessTable

LISTENS = "0A"
PROBE = """
import json, socket, sys, time
from concurrent.futures import ThreadPoolExecutor
def open_(target):
    try:
        with socket.create_connection(tuple(target), timeout=3, source_address=source):
            return True
    except OSError:
        return False
source = (sys.argv[1], 0) if sys.argv[1:] else None
targets = json.load(sys.stdin)
with ThreadPoolExecutor(256) as pool:
    print(json.dumps([target for target, found in zip(targets, pool.map(open_, targets)) if found]))
"""
NEIGHBOUR, MACHINE = ("10.99.77.2", "fd77::2"), ("10.99.77.1", "fd77::1")


@dataclass(frozen=True)
class Socket:
    """One that takes connections."""

    process: str
    account: str
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @property
    def listener(self) -> Listener | None:
        """Its row in the table."""
        return next((row for row in LISTENERS if self._is(row)), None)

    def _is(self, row: Listener) -> bool:
        return (
            fnmatch.fnmatchcase(self.process, row.process)
            and self.account == row.account
            and self.port in row.ports
            and any(self.address in ipaddress.ip_network(network) for network in row.networks)
        )


def listening(processes: ProcessTable) -> list[Socket]:
    """The sockets of all processes with a record, and of their children in the same network namespace: others are containers."""
    roots = {process.pid: (record.name, process) for record in processes.records() if (process := record.process())}
    found: list[Socket] = []
    for name, process in roots.values():
        for member in _family(process, without=roots):
            if _namespace(member) == _namespace(process):
                found += _sockets(name, member)
    return list(dict.fromkeys(found))


def _family(process: psutil.Process, *, without: Collection[int]) -> Iterator[psutil.Process]:
    """The process and its children, but not those with a record of their own: the daemon starts most of them."""
    yield process
    with suppress(psutil.NoSuchProcess):
        for child in process.children():
            if child.pid not in without:
                yield from _family(child, without=without)


def _namespace(process: psutil.Process | None) -> Path | None:
    try:
        return Path(f"/proc/{process.pid}/ns/net").readlink() if process else None
    except OSError:
        return None


def _sockets(name: str, process: psutil.Process) -> Iterator[Socket]:
    folder = Path(f"/proc/{process.pid}")
    try:
        account = process.username()
        links = [str(each.readlink()) for each in (folder / "fd").iterdir()]
        lines = [
            line.split() for table in ("tcp", "tcp6") for line in (folder / "net" / table).read_text().splitlines()
        ]
    except (OSError, psutil.Error):
        return
    for fields in lines:
        if fields[3] == LISTENS and f"socket:[{fields[9]}]" in links:
            address, _, port = fields[1].partition(":")
            yield Socket(name, account, _address(address), int(port, 16))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address


def machine_addresses() -> set[str]:
    """All that the machine has, of both families, its loopback's too."""
    families = (socket.AF_INET, socket.AF_INET6)
    found = [each for addresses in psutil.net_if_addrs().values() for each in addresses if each.family in families]
    return {str(each.address) for each in found}


def run(*argv: str, namespace: str = "", text: str = "", seconds: float = 120) -> str:
    """Run a command, in the network namespace if one is named."""
    inside = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
    done = subprocess.run([*inside, *argv], input=text, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def neighbour(name: str, machine: str = "") -> Generator[str]:
    """A namespace with a link to the machine (or to the namespace that stands for it) and routes through it on both families."""
    here = ["-n", machine] if machine else []
    run("ip", "netns", "add", name)
    try:
        run("ip", *here, "link", "add", "test-near", "type", "veth", "peer", "name", "test-far", "netns", name)
        for side, device, addresses in ((here, "test-near", MACHINE), (["-n", name], "test-far", NEIGHBOUR)):
            run("ip", *side, "address", "add", f"{addresses[0]}/30", "dev", device)
            run("ip", *side, "-6", "address", "add", f"{addresses[1]}/64", "dev", device, "nodad")
            run("ip", *side, "link", "set", device, "up")
        run("ip", "-n", name, "route", "add", "default", "via", MACHINE[0])
        run("ip", "-n", name, "-6", "route", "add", "default", "via", MACHINE[1])
        yield name
    finally:
        run("ip", "netns", "delete", name)


def reached(namespace: str, targets: Iterable[tuple[str, int]], source: str = "") -> set[tuple[str, int]]:
    """Which of the addresses and ports let a process in the namespace connect, from one of its addresses."""
    argv = [sys.executable, "-c", PROBE, *([source] if source else [])]
    answer = run(*argv, namespace=namespace, text=json.dumps(sorted(set(targets))))
    return {(address, port) for address, port in json.loads(answer)}
