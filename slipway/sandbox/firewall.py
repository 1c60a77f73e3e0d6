"""The machine's packet filter: rules of the sandbox, and what the Docker engine leaves, taken away again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.sandbox.administration import run

INTERFACES = "slipway+"
"""Every node's interface on the host, in iptables' notation."""
BRIDGE = "docker0"
CHAIN_PREFIX = "DOCKER"
TABLES = ("nat", "filter")


@dataclass(frozen=True)
class Chain:
    """Rules that replace each other at one stroke, whatever was there."""

    name: str
    rules: Sequence[str]
    hook: str = ""
    """The built-in chain that asks them first; none: other rules lead here."""
    table: str = "filter"


def cluster_interfaces(index: int) -> str:
    """The interfaces of one cluster's nodes on the host, in iptables' notation."""
    return f"slipway{index}n+"


def ensure_chain(chain: Chain, *, namespace: str = "") -> None:
    """Have the chain asked, in a network namespace if one is named."""
    rules = "".join(f"-A {chain.name} {rule}\n" for rule in chain.rules)
    text = f"*{chain.table}\n:{chain.name} - [0:0]\n{rules}COMMIT\n"
    run(*_inside(namespace), "iptables-restore", "-w", "--noflush", text=text)
    if chain.hook:
        ensure_rule(chain.table, chain.hook, "-j", chain.name, namespace=namespace)


def ensure_chain_exists(name: str) -> None:
    """Have a chain of the filter, empty if it is new: another one leads to it."""
    _iptables("-N", name)


def remove_chain(name: str, *, hook: str = "") -> None:
    """Take a chain of the filter away; none is fine."""
    if hook:
        remove_rule("filter", hook, "-j", name)
    for verb in ("-F", "-X"):
        _iptables(verb, name)


def ensure_rule(table: str, chain: str, *rule: str, namespace: str = "") -> None:
    """Have the rule; a new one is the chain's first."""
    iptables = (*_inside(namespace), "iptables", "-w", "-t", table)
    if run(*iptables, "-C", chain, *rule, check=False).returncode != 0:
        run(*iptables, "-I", chain, *rule)


def remove_rule(table: str, chain: str, *rule: str) -> None:
    """Take the rule away, as often as it is there."""
    while run("iptables", "-w", "-t", table, "-C", chain, *rule, check=False).returncode == 0:
        run("iptables", "-w", "-t", table, "-D", chain, *rule)


def forward_policy() -> str:
    """What the machine does with packets that it forwards: `ACCEPT` or `DROP`."""
    first = _iptables("-S", "FORWARD").splitlines()[:1]
    return first[0].split()[-1] if first else "ACCEPT"


def remember_forward_policy(path: Path) -> None:
    """Keep the policy as it is before the engine's first start, which sets it to DROP."""
    if not path.exists():
        path.write_text(forward_policy())


def remove_engine_rules(policy: Path) -> None:
    """Remove the engine's rules, chains and bridge, and give the machine its policy back."""
    for table in TABLES:
        lines = _iptables("-t", table, "-S").splitlines()
        for line in lines:
            if line.startswith("-A") and (CHAIN_PREFIX in line or BRIDGE in line):
                _iptables("-t", table, "-D", *shlex.split(line)[1:])
        for line in lines:
            if line.startswith(f"-N {CHAIN_PREFIX}"):
                _iptables("-t", table, "-X", line.split()[1])
    if policy.exists():
        _iptables("-P", "FORWARD", policy.read_text().strip())
    run("ip", "link", "delete", BRIDGE, check=False)


def _inside(namespace: str) -> tuple[str, ...]:
    return ("nsenter", f"--net=/run/netns/{namespace}") if namespace else ()


def _iptables(*arguments: str) -> str:
    return run("iptables", "--wait", *arguments, check=False).stdout
