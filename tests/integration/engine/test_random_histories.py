"""Random programs, changed, failed and repeated: whatever happens, the state tells the truth about what exists.

Each history is determined by its seed, so a failure can be run again. Not proven: anything about time, or about two operations at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from engine_kit import DiskStack, Group, Run, Thing
from recording_provider import Cloud

ROUNDS = 8


@dataclass(frozen=True)
class Wish:
    """One thing of a program."""

    name: str
    size: int = 0
    zone: str = "x"
    uses: tuple[str, ...] = ()
    group: str = ""
    delete_first: bool | None = None
    was_called: str = ""


@dataclass
class Author:
    """Writes a program and changes it, at random."""

    random: random.Random
    wishes: list[Wish] = field(default_factory=list)
    count: int = 0

    def change(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.random.choice(
                [self._add, self._add, self._edit, self._edit, self._move_zone, self._drop, self._rename]
            )()

    def _add(self) -> None:
        self.count += 1
        uses = tuple(
            wish.name for wish in self.random.sample(self.wishes, min(len(self.wishes), self.random.randint(0, 2)))
        )
        group = self.random.choice(["", "", "g1", "g2"])
        order = self.random.choice([None, True, False])
        self.wishes.append(Wish(f"t{self.count}", self.count, "x", uses, group, order))

    def _pick(self) -> int | None:
        return self.random.randrange(len(self.wishes)) if self.wishes else None

    def _edit(self) -> None:
        if (index := self._pick()) is not None:
            self.wishes[index] = replace(self.wishes[index], size=self.random.randint(0, 99))

    def _move_zone(self) -> None:
        if (index := self._pick()) is not None:
            zone = "y" if self.wishes[index].zone == "x" else "x"
            self.wishes[index] = replace(self.wishes[index], zone=zone)

    def _drop(self) -> None:
        if (index := self._pick()) is not None:
            gone = self.wishes.pop(index).name
            self.wishes = [replace(w, uses=tuple(name for name in w.uses if name != gone)) for w in self.wishes]

    def _rename(self) -> None:
        if (index := self._pick()) is None:
            return
        self.count += 1
        old, new = self.wishes[index], f"t{self.count}"
        self.wishes[index] = replace(old, name=new, was_called=old.name)
        self.wishes = [replace(w, uses=tuple(new if n == old.name else n for n in w.uses)) for w in self.wishes]

    def settled(self) -> None:
        """Renames have happened: their aliases may go."""
        self.wishes = [replace(wish, was_called="") for wish in self.wishes]

    def program(self) -> Callable[[], None]:
        wishes = list(self.wishes)

        def run() -> None:
            groups: dict[str, Group] = {}
            things: dict[str, Thing] = {}
            for wish in wishes:
                if wish.group and wish.group not in groups:
                    groups[wish.group] = Group(wish.group)
                opts = pulumi.ResourceOptions(
                    parent=groups.get(wish.group),
                    delete_before_replace=wish.delete_first,
                    aliases=[pulumi.Alias(name=wish.was_called)] if wish.was_called else None,
                )
                inputs = {f"use-{name}": things[name].address for name in wish.uses}
                things[wish.name] = Thing(wish.name, opts, size=wish.size, zone=wish.zone, **inputs)

        return run


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
