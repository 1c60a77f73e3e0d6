"""What an operation that runs a program waits for before it begins, got side by side: the SDK, the stack's files and key, the policy packs.

The key of a stack's secrets takes 0.3 s to derive, without the interpreter's lock; the import of the SDK takes half of that. A pack is a
process that takes as long to boot, and needs the configuration only.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from slipway.engine.config import StackConfig

if TYPE_CHECKING:
    from slipway.engine.judging import StartedPacks

Base = TypeVar("Base")


@dataclass(frozen=True)
class Prepared(Generic[Base]):
    """All of it."""

    config: StackConfig
    base: Base
    packs: StartedPacks | None
    """None where no program runs."""


@contextmanager
def prepare(
    read_config: Callable[[], StackConfig],
    read_base: Callable[[], Base],
    start_packs: Callable[[StackConfig], StartedPacks] | None,
    import_ahead: Callable[[], None] = lambda: None,
) -> Generator[Prepared[Base]]:
    """`read_base` is called only when the configuration could be read. `start_packs`: None where no program runs, which needs no SDK.
    `import_ahead` is called where there is still something to wait for.
    """
    if start_packs is None:
        yield Prepared(read_config(), read_base(), None)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="state") as pool:
        reading_config = pool.submit(read_config)

        def read_after_config() -> Base:
            reading_config.result()
            return read_base()

        reading_base = pool.submit(read_after_config)
        _import_program_side()
        config = reading_config.result()
        packs = start_packs(config)
        try:
            if not reading_base.done():
                import_ahead()
            base = reading_base.result()
        except BaseException:
            packs.close()
            raise
    try:
        yield Prepared(config, base, packs)
    finally:
        packs.close()


def _import_program_side() -> None:
    """What only a program needs; late, because refresh and destroy do without the SDK."""
    for module in ("slipway.engine.judging", "slipway.engine.session"):
        importlib.import_module(module)
