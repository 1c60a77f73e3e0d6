"""Writes programs and changes them, at random but reproducibly: the same seed writes the same history."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pulumi
from engine_kit import Group, Thing


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
    generated_name: bool = False


@dataclass
class Author:
    """Writes a program and changes it, at random."""

    random: random.Random
    generated_names: bool = False
    """Whether every thing gets a physical name made of its own name and a random part."""
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
        self.wishes.append(
            Wish(f"t{self.count}", self.count, "x", uses, group, order, generated_name=self.generated_names)
        )

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
                if wish.generated_name:
                    inputs["autoName"] = pulumi.Output.from_input(True)
                things[wish.name] = Thing(wish.name, opts, size=wish.size, zone=wish.zone, **inputs)

        return run
