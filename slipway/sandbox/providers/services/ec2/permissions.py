"""Security group rules between the properties' form and EC2's IpPermissions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from slipway.providers.values import PropertyMap

ALL_PROTOCOLS = "-1"
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": ALL_PROTOCOLS}
_SOURCES = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}


@dataclass(frozen=True, order=True)
class Atom:
    """One source or destination of one rule: what EC2 compares when it looks for duplicates."""

    protocol: str
    from_port: int
    to_port: int
    kind: str
    value: str
    description: str

    def permission(self) -> dict[str, Any]:
        """As an argument of the authorize and revoke calls."""
        member, key = _SOURCES[self.kind]
        source = {key: self.value, **({"Description": self.description} if self.description else {})}
        ports = {} if self.protocol == ALL_PROTOCOLS else {"FromPort": self.from_port, "ToPort": self.to_port}
        return {"IpProtocol": self.protocol, **ports, member: [source]}


def protocol(value: Any) -> str:
    """`6`, `TCP` and `tcp` are the same."""
    text = str(value).lower()
    return _NUMBERS.get(text, text)


def atoms_of_rule(rule: PropertyMap, group_id: str) -> Iterator[Atom]:
    """The atoms of one inline rule; `self` is the group itself."""
    name = protocol(rule["protocol"])
    ports = (0, 0) if name == ALL_PROTOCOLS else (int(rule["fromPort"]), int(rule["toPort"]))
    for kind in _SOURCES:
        values = list(rule.get(kind) or [])
        if kind == "securityGroups" and rule.get("self"):
            values.append(group_id)
        for value in values:
            yield Atom(name, *ports, kind, str(value), str(rule.get("description") or ""))


def atoms_of_rules(rules: Iterable[PropertyMap] | None, group_id: str) -> frozenset[Atom]:
    """The atoms of all inline rules."""
    return frozenset(atom for rule in rules or () for atom in atoms_of_rule(rule, group_id))


def atoms_of_permissions(permissions: Iterable[dict[str, Any]]) -> frozenset[Atom]:
    """The atoms of a described group."""
    found: set[Atom] = set()
    for permission in permissions:
        name = protocol(permission["IpProtocol"])
        ports = (
            (0, 0) if name == ALL_PROTOCOLS else (int(permission.get("FromPort", 0)), int(permission.get("ToPort", 0)))
        )
        for kind, (member, key) in _SOURCES.items():
            found |= {
                Atom(name, *ports, kind, str(s[key]), str(s.get("Description") or ""))
                for s in permission.get(member) or ()
                if s.get(key)
            }
    return frozenset(found)


def rules_of_atoms(atoms: Iterable[Atom], group_id: str) -> list[PropertyMap]:
    """Inline rules as the bridged provider shows them: one per protocol, ports and description."""
    grouped: dict[tuple[str, int, int, str], PropertyMap] = {}
    for atom in sorted(atoms):
        key = (atom.protocol, atom.from_port, atom.to_port, atom.description)
        rule = grouped.setdefault(
            key, {"cidrBlocks": [], "ipv6CidrBlocks": [], "prefixListIds": [], "securityGroups": [], "self": False}
        )
        if atom.kind == "securityGroups" and atom.value == group_id:
            rule["self"] = True
        else:
            rule[atom.kind].append(atom.value)
    return [
        {"protocol": name, "fromPort": low, "toPort": high, "description": description, **rule}
        for (name, low, high, description), rule in grouped.items()
    ]


def shown_rules(given: list[PropertyMap] | None, live: frozenset[Atom], group_id: str) -> list[PropertyMap]:
    """The live rules, in the program's own grouping where it says the same."""
    if given and atoms_of_rules(given, group_id) == live:
        blank = {
            "cidrBlocks": [],
            "ipv6CidrBlocks": [],
            "prefixListIds": [],
            "securityGroups": [],
            "self": False,
            "description": "",
        }
        return [{**blank, **{k: v for k, v in rule.items() if k != "__defaults"}} for rule in given]
    return rules_of_atoms(live, group_id)
