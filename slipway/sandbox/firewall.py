"""The machine's packet filter: rules of the sandbox, and what the Docker engine leaves, taken away again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.sandbox.administration import run
from slipway.sandbox.ports import HOST_ADDRESS

INTERFACES = "slipway+"
"""Every node's interface on the host, in iptables' notation."""
BRIDGE = "docker0"
CHAIN_PREFIX = "DOCKER"
TABLES = ("nat", "filter")


@dataclass(frozen=True)
class Chain:
    """Rules of the filter that one of its built-in chains asks first. They replace each other at one stroke, whatever was there."""

    hook: str
    name: str
    rules: Sequence[str]


HOST_CHAIN = Chain(
    "INPUT",
    "SLIPWAY-HOST",
    # The kernel takes packets to any of its addresses from any link.
    [
        f"-d {HOST_ADDRESS} -i lo -j ACCEPT",
        f"-d {HOST_ADDRESS} -i {INTERFACES} -j ACCEPT",
        f"-d {HOST_ADDRESS} -j DROP",
    ],
)
PODS_CHAIN = Chain(
    "FORWARD",
    "SLIPWAY-PODS",
    # Asked first, since Docker sets the policy to DROP.
    [
        f"-o {INTERFACES} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-i {INTERFACES} -j ACCEPT",
        f"-o {INTERFACES} -j DROP",
    ],
)
"""Pods reach everything, and nobody but pods and this machine reaches pods and nodes."""


def ensure_chain(chain: Chain) -> None:
    """Have the chain asked."""
    rules = "".join(f"-A {chain.name} {rule}\n" for rule in chain.rules)
    run("iptables-restore", "-w", "--noflush", text=f"*filter\n:{chain.name} - [0:0]\n{rules}COMMIT\n")
    ensure_rule("filter", chain.hook, "-j", chain.name)


def remove_chain(chain: Chain) -> None:
    """Take the chain away; none is fine."""
    remove_rule("filter", chain.hook, "-j", chain.name)
    for verb in ("-F", "-X"):
        _iptables(verb, chain.name)


def ensure_rule(table: str, chain: str, *rule: str) -> None:
    """Have the rule; a new one is the chain's first."""
    if run("iptables", "-w", "-t", table, "-C", chain, *rule, check=False).returncode != 0:
        run("iptables", "-w", "-t", table, "-I", chain, *rule)


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


def _iptables(*arguments: str) -> str:
    return run("iptables", "--wait", *arguments, check=False).stdout
