"""What a control plane's processes may do and read: a real one with its etcd, in a network namespace, without nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.sandbox.accounts import second_mount
from slipway.sandbox.kubernetes.control_plane import ACCOUNT, PROGRAMS
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.processes import ProcessTable
from tests.listening import run


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_has_its_account_no_capability_and_no_variable_of_its_caller(plane: Any, program: str) -> None:
    record = ProcessTable(plane.paths).find(f"dev-{program}")
    process = record.process() if record else None
    assert process is not None
    assert (process.username(), process.name()) == (ACCOUNT, program)
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert {line.split()[1] for line in status.splitlines() if line.startswith("Cap")} == {"0" * 16}
    assert "NoNewPrivs:\t1" in status
    assert set(process.environ()) == {"PATH", "LANG"}


def test_account_reads_its_own_keys_and_no_other_account_does(plane: Any) -> None:
    folder = second_mount(ClusterLayout.of(plane.paths, "dev", 0).pki)
    names = {"ca.key", "admin.kubeconfig", "front-proxy-ca.key"}

    def read_by(account: str) -> set[str]:
        identity = (f"--reuid={account}", f"--regid={account}", "--init-groups")
        loop = f"cd {folder} || exit 0; for name in {' '.join(names)}; do test -r $name && echo $name; done; true"
        return set(run("setpriv", *identity, "sh", "-c", loop).split())

    assert (read_by("root"), read_by(ACCOUNT)) == (names, {"ca.key"})
    assert read_by("etcd") == set()
