"""Supervised processes: whom stopping one ends, and whom not."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path

import pytest

from slipway.errors import OperationError
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessSpec, ProcessTable

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = """
import subprocess, sys, time
from pathlib import Path
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessSpec, ProcessTable
ProcessTable(SandboxPaths(Path(sys.argv[1]))).ensure(ProcessSpec(name="kept", argv=["sleep", "60"]))
child = subprocess.Popen(["sleep", "60"])
Path(sys.argv[1], "child").write_text(str(child.pid))
time.sleep(60)
"""
BIG = """
import sys, time
from pathlib import Path
held = bytearray(b"x") * 600_000_000
Path(sys.argv[1]).touch()
time.sleep(60)
"""


def test_stopping_a_process_ends_its_children_but_not_those_with_a_record(tmp_path: Path) -> None:
    table = ProcessTable(SandboxPaths(tmp_path))
    child = tmp_path / "child"
    table.ensure(
        ProcessSpec(
            name="parent", argv=[sys.executable, "-c", PARENT, str(tmp_path)], ready=lambda: bool(child.read_text())
        )
    )
    kept = table.find("kept")
    assert kept is not None
    try:
        table.stop("parent")
        assert table.find("parent") is None
        assert kept.process() is not None
        assert not Path(f"/proc/{child.read_text()}/fd/0").exists()
    finally:
        table.stop("kept")
    assert kept.process() is None


def test_process_gets_a_few_variables_of_its_caller_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "http_proxy"):
        monkeypatch.setenv(name, "http://from-the-caller")
    table = ProcessTable(SandboxPaths(tmp_path))
    argv = ["sh", "-c", "env; exec sleep 60"]
    ready = lambda: "OWN=1" in table.log_path("one").read_text()  # noqa: E731
    table.ensure(ProcessSpec(name="one", argv=argv, env={"OWN": "1"}, ready=ready))
    table.stop("one")
    names = {line.partition("=")[0] for line in table.log_path("one").read_text().splitlines()}
    assert {"PATH", "http_proxy", "OWN"} <= names
    assert not {"AWS_SECRET_ACCESS_KEY", "DATABASE_URL"} & names
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "sandbox").iterdir()} == {0o700}


def test_running_process_is_found_again_and_not_started_twice(tmp_path: Path) -> None:
    first = ProcessTable(SandboxPaths(tmp_path)).ensure(ProcessSpec(name="one", argv=SLEEP))
    again = ProcessTable(SandboxPaths(tmp_path))
    assert again.ensure(ProcessSpec(name="one", argv=SLEEP)) == first
    again.stop("one")


def test_record_of_a_reused_pid_is_not_taken_for_the_process(tmp_path: Path) -> None:
    table = ProcessTable(SandboxPaths(tmp_path))
    record = table.ensure(ProcessSpec(name="one", argv=SLEEP))
    path = tmp_path / "sandbox/run/one.json"
    path.write_text(path.read_text().replace(str(record.created), str(record.created - 100)))
    stale = table.find("one")
    assert stale is not None
    assert stale.process() is None
    path.write_text(path.read_text().replace(str(record.created - 100), str(record.created)))
    table.stop("one")


def test_process_that_was_killed_but_is_not_gone_yet_is_started_anew(tmp_path: Path) -> None:
    """The kernel takes big processes apart for a while; until then they look alive, and hold their ports and locks."""
    table, big = ProcessTable(SandboxPaths(tmp_path)), tmp_path / "big"
    argv = [sys.executable, "-c", BIG, str(big)]
    spec = ProcessSpec(name="big", argv=argv, ready=big.exists, ready_timeout_seconds=60)
    for _ in range(5):
        first = table.ensure(spec)
        process = first.process()
        assert process is not None
        big.unlink()
        process.kill()
        second = table.ensure(spec)
        assert second.pid != first.pid
        assert first.process() is None
    table.stop("big")


def test_refuses_a_process_that_ends_at_once_with_its_own_words(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "print('no such option'); raise SystemExit(2)"]
    with pytest.raises(OperationError, match="broken ended at once:\nno such option"):
        ProcessTable(SandboxPaths(tmp_path)).ensure(
            ProcessSpec(name="broken", argv=argv, ready=lambda: False, ready_timeout_seconds=10)
        )


def test_refuses_a_process_that_is_not_ready_in_time(tmp_path: Path) -> None:
    table = ProcessTable(SandboxPaths(tmp_path))
    started = time.monotonic()
    with pytest.raises(OperationError, match=r"slow was not ready after 0 s"):
        table.ensure(ProcessSpec(name="slow", argv=SLEEP, ready=lambda: False, ready_timeout_seconds=0.3))
    assert time.monotonic() - started < 30
    table.stop("slow")
