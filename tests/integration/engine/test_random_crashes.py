"""Processes that end at any change: the same command run again ends where it would have ended, and leaves nothing behind.

Not proven: providers whose creates cannot be found again by name; there an interrupted create leaves what it made.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from random_crashing_up import author_of

from slipway.engine.state.backend import FileBackend

ROUNDS = 4


@pytest.mark.parametrize("seed", range(4))
def test_the_same_command_ends_the_same_whenever_it_is_killed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(1000 + seed)  # noqa: S311 - a test's history, not a secret
    (tmp_path / "Pulumi.yaml").write_text("name: proj\nruntime: python\n")
    state, live = tmp_path / "state", tmp_path / "live.json"
    state.mkdir()

    def up(round_number: int, die_at: int, moment: str) -> subprocess.CompletedProcess[str]:
        script = str(Path(__file__).parent / "random_crashing_up.py")
        numbers = [str(seed), str(round_number), str(die_at)]
        command = [sys.executable, script, str(tmp_path), str(state), str(live), *numbers, moment]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    for round_number in range(1, ROUNDS + 1):
        for _ in range(2):
            up(round_number, chance.randint(1, 4), chance.choice(["before", "after"]))
        finished = up(round_number, 0, "never")
        assert finished.returncode == 0, finished.stderr
        check_done(seed, round_number, state, json.loads(live.read_text()) if live.exists() else {})
        again = up(round_number, 0, "never")
        assert set(json.loads(again.stdout)) <= {"same"}, again.stdout


def check_done(seed: int, round_number: int, state: Path, live: dict[str, Any]) -> None:
    backend = FileBackend(f"file://{state}", environ={"PULUMI_CONFIG_PASSPHRASE": "correct horse"})
    snapshot = backend.stack("proj", "dev").load()
    assert snapshot is not None
    assert snapshot.pending_operations == ()
    things = {one.urn.split("::")[-1]: one for one in snapshot.resources if one.type == "test:index:Thing"}
    assert {one.id for one in things.values()} == set(live)
    wishes = author_of(seed, round_number).wishes
    assert set(things) == {wish.name for wish in wishes}
    for wish in wishes:
        inputs = things[wish.name].inputs
        assert (inputs["size"], inputs["zone"]) == (wish.size, wish.zone)
        assert live[things[wish.name].id] == things[wish.name].outputs
