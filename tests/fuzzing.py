"""Hostile variants of good inputs, from a seed, and a limit on the time that one of them may take.

`SLIPWAY_FUZZ_SEED=7 pytest tests/unit/test_fuzzed_inputs.py` tries others. A failure names the seed and the input.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

SEED = int(os.environ.get("SLIPWAY_FUZZ_SEED", "1"))
SECONDS = 3
"""Of this process's CPU, for one input; a good one takes some milliseconds. Waiting counts against the test's own limit."""
VALUES: Sequence[Any] = (
    *(None, True, 0, -1, 0.5, 2**31, 2**63, 10**30, 1e308, float("nan"), float("-inf"), "", " ", "0", "-", ".", "..", "x" * 300),
    *("\x1b[31m", "\x7f", "ü☃\U0001f600", "../../etc/passwd", "%s{}$(id)", "<script>", "2026-02-30", "2026-01-01T00:00:00", "nan"),
    *([], {}, [[]], [None], {"": ""}, {"a": {"b": []}}, ["x"] * 100),
)  # fmt: skip
PIECES: Sequence[bytes] = (
    *(b"\x00", b"\xff", b"\xc3\x28", b"\xef\xbb\xbf", b"\t", b"\r\n", b"---\n", b"...\n", b"&a ", b"*a", b"<<: ", b"? ", b"- "),
    *(b"{", b"[" * 200, b"{a: " * 60, b"]", b"}", b"'", b'"', b": ", b"#", b"|\n", b"!!python/object:os.system ", b"!!int "),
    *(b"2026-02-30", b"1:59" + b":59" * 500, b"0x_", b"=", b"9" * 5000, b"null", b".nan", b"%00", b"%ff", b"%2e%2e%2f", b"/../"),
)  # fmt: skip


class HangError(BaseException):
    """An input took too long. No `except Exception` takes it for an error of its own."""


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Raise HangError where the block takes longer."""

    def ring(*_: object) -> None:
        raise HangError

    handler = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)


def try_all(
    kind: str, kept: Iterable[Any], make: Callable[[random.Random], Any], count: int, use: Callable[[Any], None]
) -> None:
    """Use what found faults before, and `count` inputs that `make` makes; fail with those that `use` fails with."""
    print(f"{kind}: seed {SEED}")  # noqa: T201 - shown where the test fails, or with -s
    faults: list[str] = []
    for value in (*kept, *(make(random.Random(f"{kind} {SEED} {number}")) for number in range(count))):
        try:
            with at_most(SECONDS):
                use(value)
        except (Exception, HangError) as error:  # noqa: BLE001 - whatever it is, with its input
            faults.append(f"{type(error).__name__}: {str(error)[:500]}: input {str(value)[:500]!r}")
    assert not faults, f"{kind}, seed {SEED}: {len(faults)} inputs\n" + "\n".join(faults[:20])


def mutated_bytes(dice: random.Random, good: bytes) -> bytes:
    """Pieces of the text taken out, doubled, or replaced by hostile ones."""
    for _ in range(dice.choice((1, 1, 2, 5))):
        start = dice.randrange(len(good) + 1)
        end = min(len(good), start + dice.choice((0, 0, 1, 5, 40, len(good))))
        good = (
            good[:start] + dice.choice((b"", good[start:end] * 2, dice.choice(PIECES), dice.randbytes(3))) + good[end:]
        )
    return good


def mutated_value(dice: random.Random, good: Any) -> Any:
    """The same document with one part, anywhere in it, replaced or taken away."""
    if not isinstance(good, dict | list) or not good or dice.random() < 0.1:
        return dice.choice(VALUES)
    changed = json.loads(json.dumps(good))
    key = dice.choice(list(changed)) if isinstance(changed, dict) else dice.randrange(len(changed))
    if dice.random() < 0.1:
        del changed[key]
    elif dice.random() < 0.1 and isinstance(changed, dict):
        changed[str(dice.choice(VALUES))] = dice.choice(VALUES)
    else:
        changed[key] = mutated_value(dice, changed[key])
    return changed
