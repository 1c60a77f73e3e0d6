"""The machine's DNS servers, as far as pods can use them."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from pathlib import Path

RESOLVER_FILES = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
"""The first that exists: systemd's stub in the second is a loopback address."""


def nameservers(resolv_conf: str) -> list[str]:
    """The IPv4 addresses of a resolv.conf that mean something inside a namespace: all but those on loopback."""
    fields = [line.split() for line in resolv_conf.splitlines()]
    servers = [field[1] for field in fields if len(field) > 1 and field[0] == "nameserver"]
    return [server for server in servers if _is_reachable(server)]


def machine_nameservers() -> list[str]:
    """Those of this machine."""
    source = next((path for path in RESOLVER_FILES if path.is_file()), None)
    return nameservers(source.read_text()) if source else []


def _is_reachable(server: str) -> bool:
    try:
        address = ip_address(server)
    except ValueError:
        return False  # an IPv6 address with its link, as in fe80::1%eth0
    return isinstance(address, IPv4Address) and not address.is_loopback
