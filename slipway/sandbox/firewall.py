"""What the Docker engine leaves in the machine's packet filter, taken away again."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

BRIDGE = "docker0"
CHAIN_PREFIX = "DOCKER"
TABLES = ("nat", "filter")
TIMEOUT_SECONDS = 20


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
    subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True, timeout=TIMEOUT_SECONDS)


def _iptables(*arguments: str) -> str:
    argv = ["iptables", "--wait", *arguments]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS).stdout
