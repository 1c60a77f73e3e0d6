"""A process that is really killed while it saves its steps."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipway.engine.state.backend import FileBackend
from slipway.engine.state.integrity import find_fault

ENVIRON = {"PULUMI_CONFIG_PASSPHRASE": "password"}

PROGRAM = """
import sys
from slipway.engine.state.backend import FileBackend
from slipway.engine.state.model import OperationType, ResourceState
from slipway.engine.state.writer import Added
from slipway.engine.values import Secret

store = FileBackend("file://" + sys.argv[1], environ={"PULUMI_CONFIG_PASSPHRASE": "password"}).stack("shop", "dev")
writer = store.writer()
for number in range(100_000):
    state = ResourceState(urn=f"urn:pulumi:dev::shop::a:b:C::{number}", type="a:b:C", custom=True, id=str(number),
                          inputs={"n": number, "pw": Secret(str(number)), "text": "x" * 200})
    pending = writer.begin(OperationType.CREATING, state)
    print("begun", number, flush=True)
    writer.end(pending, Added(state))
    print("done", number, flush=True)
"""


@pytest.mark.parametrize("round_number", range(4))
def test_every_step_that_was_told_is_in_the_state(tmp_path: Path, round_number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdout is not None
    process.stdout.readline()
    # The moment must differ from round to round; any is as good as another.
    deadline = time.monotonic() + random.Random(round_number).uniform(0.01, 0.6)  # noqa: S311 - no secret
    told = [b""]
    while time.monotonic() < deadline:
        told.append(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().splitlines(keepends=True)
    process.wait(timeout=10)
    process.stdout.close()
    done = [int(line.split()[1]) for line in told if line.startswith(b"done") and line.endswith(b"\n")]
    begun = [int(line.split()[1]) for line in told if line.startswith(b"begun") and line.endswith(b"\n")]

    store = FileBackend(f"file://{tmp_path}", environ=ENVIRON).stack("shop", "dev")
    snapshot = store.load()

    assert snapshot is not None
    ids = [int(state.id) for state in snapshot.resources]
    pending = [int(operation.resource.id) for operation in snapshot.pending_operations]
    assert ids == list(range(len(ids)))
    assert len(ids) > max(done, default=-1)
    assert max([*ids, *pending, -1]) >= max(begun, default=-1)
    assert find_fault(snapshot.resources) is None
    # What another program sees is an older state, but a whole one.
    raw = json.loads((tmp_path / ".pulumi/stacks/shop/dev.json").read_bytes())
    older = raw["checkpoint"]["latest"].get("resources", [])
    assert [int(record["id"]) for record in older] == list(range(len(older)))
    assert len(older) <= len(ids)
    store.writer().close()
    assert not list((tmp_path / ".pulumi/slipway").rglob("*.journal*"))
