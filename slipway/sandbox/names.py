"""Which names of Route 53 this machine's programs find, and at which address: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

RESERVED = ("test", "example", "example.com", "example.net", "example.org")
"""Domains that nobody can own, so that nothing real is hidden from this machine. Source: RFC 2606. The others of it stay as they are:
`localhost` is taken, `invalid` is there to be found nowhere."""
HOST_NAME = re.compile(r"(?=.{4,253}\Z)([a-z0-9_][a-z0-9_-]{0,62}\.)+[a-z0-9][a-z0-9-]{1,62}")
"""In lower case. Route 53 takes nearly anything: the file of names has no wildcards, and a line break begins another line."""
LONGEST_CHAIN = 8
"""Aliases and CNAMEs from a name to its address."""
DUAL_STACK = "dualstack."
"""What AWS's console puts before a load balancer's name."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A record of a public hosted zone that may lead to an address."""

    name: str
    values: Sequence[str]
    """Of an A record its addresses; of a CNAME or an alias the name that it leads to."""

    @classmethod
    def of(cls, name: str, values: Iterable[str]) -> Published:
        """As DNS compares names: in lower case, without the dot at the end."""
        return cls(name=plain(name), values=[plain(value) for value in values])


def plain(name: str) -> str:
    """As DNS compares names: in lower case, without the dot at the end."""
    return name.rstrip(".").lower()


def covers(domain: str, name: str) -> bool:
    """Whether a name is that of the domain, or below it."""
    return name == domain or name.endswith(f".{domain}")


def names_of_machine(records: Iterable[Published], network: str) -> dict[str, str]:
    """Address by name, for names under reserved domains that lead to a load balancer. `network`: theirs, its first three bytes.

    A later record of the same name counts. Whoever may change a zone could otherwise lead the machine's user anywhere.
    """
    published = {record.name: record for record in records}
    found = {name: _address(name, published, f"{network}.") for name in sorted(published) if _may_be_found(name)}
    return {name: address for name, address in found.items() if address}


def _may_be_found(name: str) -> bool:
    return HOST_NAME.fullmatch(name) is not None and any(covers(domain, name) for domain in RESERVED)


def _address(name: str, published: Mapping[str, Published], network: str) -> str:
    """Empty where there is none."""
    for _ in range(LONGEST_CHAIN):
        if name not in published:
            return ""
        values = published[name].values
        if addresses := [value for value in values if is_address(value)]:
            return next((address for address in addresses if address.startswith(network)), "")
        name = next(iter(values), "").removeprefix(DUAL_STACK)
        if is_address(name):
            return name if name.startswith(network) else ""
    return ""


def is_address(value: str) -> bool:
    """Whether it is one of IPv4."""
    try:
        IPv4Address(value)
    except AddressValueError:
        return False
    return True
