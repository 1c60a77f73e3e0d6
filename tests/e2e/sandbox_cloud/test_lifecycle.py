"""The sandbox's life: what dies comes back, what is up stays up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from slipway.errors import MachineError
from slipway.sandbox import bringing_up, lifecycle, requirements
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

Eventually = Callable[[Callable[[], bool], str], None]


def kill(paths: SandboxPaths, name: str) -> None:
    record = ProcessTable(paths).find(name)
    assert record is not None
    process = record.process()
    assert process is not None
    process.kill()
    process.wait(10)


def test_second_up_is_quick_and_changes_nothing(paths: SandboxPaths) -> None:
    lifecycle.up(paths, lambda _text: None)
    before = {record.name: record.pid for record in ProcessTable(paths).records()}
    started = time.monotonic()
    lifecycle.up(paths, lambda _text: None)
    assert time.monotonic() - started < 20  # a start from nothing takes longer; how quick it is, the benchmark says
    assert {record.name: record.pid for record in ProcessTable(paths).records()} == before


def test_commands_say_so_when_the_daemon_died_and_up_brings_it_back(
    paths: SandboxPaths, aws: Callable[..., Any]
) -> None:
    sns, topic = aws("sns"), f"e2e-{uuid4().hex[:6]}"
    arn = sns.create_topic(Name=topic)["TopicArn"]
    kill(paths, "daemon")
    with pytest.raises(MachineError, match="the sandbox is not running") as caught:
        lifecycle.require_running(paths)
    assert "slipway sandbox up" in caught.value.remedy
    assert any(row.name == "daemon" and row.state == "dead" for row in lifecycle.status(paths).rows)
    lifecycle.up(paths, lambda _text: None)
    lifecycle.require_running(paths)
    assert arn in [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    sns.delete_topic(TopicArn=arn)


def test_daemon_of_other_sources_is_replaced_and_nothing_else_is_touched(
    paths: SandboxPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pids() -> dict[str, int]:
        return {record.name: record.pid for record in ProcessTable(paths).records()}

    before = pids()
    monkeypatch.setattr(bringing_up, "_code_hash", lambda: f"other-{uuid4().hex}")
    lifecycle.up(paths, lambda _text: None)
    after = pids()
    assert before.pop("daemon") != after.pop("daemon")
    assert before == after


@pytest.mark.parametrize("name", ["registry", "registry-proxy", "docker"])
def test_killed_process_is_started_again(paths: SandboxPaths, eventually: Eventually, name: str) -> None:
    kill(paths, name)

    def lives() -> bool:
        record = ProcessTable(paths).find(name)
        return record is not None and record.process() is not None

    eventually(lives, f"{name} running")


def test_status_names_every_part(paths: SandboxPaths) -> None:
    status = lifecycle.status(paths)
    assert (status.running, status.ready) == (True, True)
    assert {"api", "registry", "engine", "process"} <= {row.kind for row in status.rows}


def test_refuses_a_second_sandbox_on_the_machine(paths: SandboxPaths, tmp_path: Any) -> None:
    with pytest.raises(MachineError, match=f"another sandbox runs on this machine, in {paths.home}"):
        requirements.check_machine(SandboxPaths(tmp_path))
