"""Random programs, changed, failed and repeated: whatever happens, the state tells the truth about what exists.

Each history is determined by its seed, so a failure can be run again. Not proven: anything about time, or about two operations at once.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from engine_kit import DiskStack, Run
from random_author import Author
from recording_provider import Cloud

ROUNDS = 8


def check_truth(run: Run, cloud: Cloud) -> None:
    """Everything that exists is in the state, and everything in the state exists unless the state says that it was deleted."""
    things = [state for state in run.snapshot.resources if state.type == "test:index:Thing"]
    known = {state.id for state in things}
    assert set(cloud.live) <= known
    assert {state.id for state in things if not state.pending_replacement} <= set(cloud.live)
    assert run.snapshot.pending_operations == ()


def check_done(run: Run, author: Author, cloud: Cloud) -> None:
    """The state is what the program says, and nothing is left over."""
    things = {state.urn.split("::")[-1]: state for state in run.snapshot.resources if state.type == "test:index:Thing"}
    assert len(things) == len([state for state in run.snapshot.resources if state.type == "test:index:Thing"])
    assert set(things) == {wish.name for wish in author.wishes}
    for wish in author.wishes:
        state = things[wish.name]
        addresses = {f"use-{name}": things[name].outputs["address"] for name in wish.uses}
        assert state.inputs == {"size": wish.size, "zone": wish.zone, **addresses}
        assert cloud.live[state.id] == state.outputs
        assert not state.delete
        assert not state.pending_replacement
    assert len(cloud.live) == len(things)


def fail_sometimes(author: Author, cloud: Cloud, chance: float) -> None:
    def maybe(*args: Any) -> None:
        if author.random.random() < chance:
            raise RuntimeError("bad luck")

    names = [f"t{number}" for number in range(author.count + 1)]
    cloud.on_create = dict.fromkeys(names, maybe)
    cloud.on_update = dict.fromkeys(names, maybe)
    cloud.on_delete = dict.fromkeys(names, maybe)


@pytest.mark.parametrize("continue_on_error", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_state_is_true_throughout_any_history(tmp_path: Path, seed: int, continue_on_error: bool) -> None:
    cloud = Cloud()
    stack = DiskStack(cloud, tmp_path)
    author = Author(random.Random(seed))  # noqa: S311 - a test's history, not a secret
    cloud.replace_keys = ("zone",) if seed % 3 else ("zone", *(f"use-t{number}" for number in range(0, 99, 2)))
    for _ in range(ROUNDS):
        author.change()
        program = author.program()
        fail_sometimes(author, cloud, 0.25)
        for _ in range(author.random.randint(0, 2)):
            check_truth(stack.up(program, continue_on_error=continue_on_error), cloud)
        cloud.on_create, cloud.on_update, cloud.on_delete = {}, {}, {}
        run = stack.up(program)
        assert run.ok, run.errors
        check_truth(run, cloud)
        check_done(run, author, cloud)
        author.settled()
        assert set(stack.preview(author.program()).changes) <= {"same"}
    run = stack.destroy()
    assert run.ok, run.errors
    assert cloud.live == {}
    assert run.snapshot.resources == ()
