"""Real processes on one ledger: killed with -9 and taken up again, and two at once. Pods and stack are a stand-in, see one_process.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest

from slipway.delivery.adapters.dynamodb_ledger import DynamoLedger
from slipway.delivery.adapters.elbv2 import Elbv2LoadBalancer
from slipway.delivery.adapters.table import Table
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.rollout import Phase, Rollout
from slipway.delivery.model.target import LoadBalancerRef
from slipway.delivery.ports import Place

PLACE = Place(environment="dev", service="orders")
SCRIPT = Path(__file__).with_name("one_process.py")
ROLLOUT = {
    "strategy": "canary",
    "steps": [50, 100],
    "bakeSeconds": 1.5,
    "metricWindowSeconds": 1,
    "analysisIntervalSeconds": 0.3,
    "minimumRequests": 1,
}


@dataclass
class Bench:
    """A place that processes release to."""

    settings_file: Path
    balancer: Elbv2LoadBalancer
    ledger: DynamoLedger

    def start(
        self, verb: str, version: str, *, wait_seconds: float = 0, log: Path | None = None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(SCRIPT), str(self.settings_file), verb, version, str(wait_seconds)]
        root = Path(__file__).parents[3]
        with (log or self.log).open("w") as output:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=root, env={**os.environ})

    def run(self, verb: str, version: str, *, wait_seconds: float = 0) -> tuple[int, str]:
        code = self.start(verb, version, wait_seconds=wait_seconds).wait(300)
        return code, self.log.read_text()

    @property
    def log(self) -> Path:
        """Output of the process started last."""
        return self.settings_file.with_suffix(".log")

    def wait_for(self, reached: Callable[[Rollout], bool], process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            rollout = self.ledger.rollout(PLACE)
            if rollout and reached(rollout):
                return
            assert process.poll() is None, self.log.read_text()
            time.sleep(0.01)
        raise AssertionError("the rollout never came there")

    def edit(self, **changes: Any) -> None:
        settings = json.loads(self.settings_file.read_text())
        self.settings_file.write_text(json.dumps(settings | changes))


@pytest.fixture
def bench(aws: boto3.Session, ledger_table: str, reference: LoadBalancerRef, tmp_path: Path) -> Bench:
    settings = {
        "loadBalancer": json.loads(reference.model_dump_json(by_alias=True)),
        "file": str(tmp_path / "pods.json"),
        "leaseSeconds": 6,
        "rollout": ROLLOUT,
    }
    settings_file = tmp_path / "settings.json"
    settings_file.write_text(json.dumps(settings))
    ledger = DynamoLedger(Table("slipway-ledger", "us-east-1"))
    ledger.ensure(PLACE)
    made = Bench(settings_file, Elbv2LoadBalancer(reference, "us-east-1"), ledger)
    code, output = made.run("release", "1.0.0")
    assert code == 0, output
    return made


@pytest.mark.parametrize(
    ("phase", "step", "again"),
    [
        (Phase.DEPLOYING, 0, "release"),
        (Phase.BAKING, 0, "resume"),
        (Phase.BAKING, 1, "release"),
        (Phase.SETTLING, 1, "resume"),
    ],
)
def test_release_killed_with_minus_9_ends_in_the_same_place_when_taken_up_again(
    bench: Bench, phase: Phase, step: int, again: str
) -> None:
    process = bench.start("release", "2.0.0")
    bench.wait_for(lambda rollout: rollout.phase is phase and rollout.step == step and not rollout.phase.ended, process)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert bench.ledger.lease(PLACE), "a killed process cannot have given its lease back"
    code, output = bench.run(again, "2.0.0")
    assert code == 0, output
    wanted, rollout = bench.ledger.wanted(PLACE), bench.ledger.rollout(PLACE)
    assert rollout
    assert (rollout.phase, wanted.live) == (Phase.COMPLETED, Colour.BLUE)
    assert {colour: running.version for colour, running in wanted.releases().items()} == {
        "blue": "2.0.0",
        "green": "1.0.0",
    }
    assert bench.balancer.read().weights == wanted.weights == Weights(blue=100, green=0)
    assert "resumed" in {entry.event for entry in rollout.journal}
    assert len(bench.ledger.history(PLACE, 9)) == 2
    assert bench.ledger.lease(PLACE) is None


def test_bad_release_killed_on_its_way_back_is_brought_back_by_the_next_process(bench: Bench) -> None:
    bench.edit(bad="")  # every release is bad from here on
    process = bench.start("release", "2.0.0")
    bench.wait_for(lambda rollout: rollout.phase in {Phase.RETURNING, Phase.CLEANING}, process)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    code, output = bench.run("resume", "2.0.0")
    assert code == 10, output
    assert "errors-above-limit" in output
    assert bench.balancer.read().weights == Weights(blue=0, green=100)
    assert list(bench.ledger.wanted(PLACE).releases()) == [Colour.GREEN]
    assert len(bench.ledger.rejections(PLACE)) == 1


def test_second_process_is_refused_with_the_first_one_s_name_and_waits_when_told_to(bench: Bench) -> None:
    first = bench.start("release", "2.0.0")
    bench.wait_for(lambda rollout: rollout.phase is Phase.BAKING, first)
    code, output = bench.run("release", "3.0.0")
    assert code == 4, output
    assert f"(process {first.pid}) is at work here: `slipway release dev`" in output
    code, output = bench.run("release", "3.0.0", wait_seconds=60)
    assert code == 0, output
    assert first.wait(300) == 0
    assert {running.version for running in bench.ledger.wanted(PLACE).releases().values()} == {"2.0.0", "3.0.0"}


def test_abort_from_another_process_turns_the_running_one_back(bench: Bench) -> None:
    bench.edit(rollout=ROLLOUT | {"bakeSeconds": 60})
    first = bench.start("release", "2.0.0")
    bench.wait_for(lambda rollout: rollout.phase is Phase.BAKING, first)
    code, output = bench.run("abort", "2.0.0")
    assert (code, "outcome: rolled-back" in output) == (0, True), output
    assert first.wait(300) == 10
    assert bench.balancer.read().weights == Weights(blue=0, green=100)


def test_ten_at_once_release_one_after_the_other_and_a_sleeping_owner_changes_nothing_more(
    bench: Bench, tmp_path: Path
) -> None:
    logs = {f"{number}.0.0": tmp_path / f"{number}.log" for number in range(2, 12)}
    running = {version: bench.start("release", version, wait_seconds=240, log=log) for version, log in logs.items()}
    first = next(iter(running.values()))
    bench.wait_for(lambda rollout: rollout.phase is Phase.BAKING, first)
    lease = bench.ledger.lease(PLACE)
    assert lease
    sleeper = next(version for version, process in running.items() if process.pid == lease.owner.pid)
    running[sleeper].send_signal(signal.SIGSTOP)
    done = logs[sleeper].read_text()

    codes = {version: process.wait(300) for version, process in running.items() if version != sleeper}
    before = bench.balancer.read().weights, bench.ledger.wanted(PLACE)
    running[sleeper].send_signal(signal.SIGCONT)
    assert running[sleeper].wait(60) == 0, "it is told that others have completed its release"
    assert (bench.balancer.read().weights, bench.ledger.wanted(PLACE)) == before
    told = {version: log.read_text() for version, log in logs.items()}
    assert "set the load balancer" not in told[sleeper].removeprefix(done)
    assert sum("took the lease over" in text for text in told.values()) == 1

    refused = {version for version, code in codes.items() if code == 5 and "is older than" in told[version]}
    completed = {version for version, code in codes.items() if code == 0} | {sleeper}
    assert refused | completed == {*logs}, told
    history = bench.ledger.history(PLACE, 30)
    assert {rollout.phase for rollout in history} == {Phase.COMPLETED}
    versions = [rollout.candidate.version for rollout in history if rollout.candidate]
    assert sorted(versions) == sorted(completed | {"1.0.0"})
    assert all(after.started_at >= before.ended_at for after, before in pairwise(history) if before.ended_at)
    weights, wanted = before
    assert wanted.live
    assert weights == wanted.weights == Weights.towards(wanted.live, 100)
    assert wanted.releases()[wanted.live].version == versions[0]
