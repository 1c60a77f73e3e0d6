"""Packs start before there is an operation to tell what they print."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.engine import judging
from slipway.engine.judging import StartedPacks
from slipway.engine.policy import PackContext
from slipway.errors import UsageError

CONTEXT = PackContext(project="proj", stack="dev")


class Pack:
    """Prints two lines: as it starts, and later."""

    def __init__(self, folder: Path, context: PackContext, *, environ: object, on_output: object) -> None:
        if folder.name == "none":
            raise UsageError("no pack")
        self.print = on_output
        self.ended = 0
        self.print("info", "early")  # type: ignore[operator]

    def close(self) -> None:
        self.ended += 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Pack]:
    packs: list[Pack] = []

    def make(*arguments: object, **options: object) -> Pack:
        packs.append(Pack(*arguments, **options))  # type: ignore[arg-type]
        return packs[-1]

    monkeypatch.setattr(judging, "PolicyPack", make)
    return packs


def test_what_is_printed_before_anybody_listens_is_told_in_order(made: list[Pack]) -> None:
    started = StartedPacks([Path("a")], CONTEXT, environ={})
    told: list[tuple[str, str]] = []
    started.listen(lambda severity, line: told.append((severity, line)))
    made[0].print("info", "late")  # type: ignore[operator]
    assert told == [("info", "early"), ("info", "late")]


def test_packs_end_once_and_those_that_started_end_when_another_cannot(made: list[Pack]) -> None:
    started = StartedPacks([Path("a")], CONTEXT, environ={})
    started.close()
    started.close()
    assert made[0].ended == 1
    with pytest.raises(UsageError):
        StartedPacks([Path("b"), Path("none")], CONTEXT, environ={})
    assert made[1].ended == 1
