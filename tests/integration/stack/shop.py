"""A provider of Things for the tests of stacks: each is a file in a folder, so that nothing made twice or forgotten stays hidden.

Served in the test's process. A file `slow` in the folder makes each create take a while.
"""

# ruff: noqa: A002 - `id` is the provider interface's own name
from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import uuid4

from slipway.providers.provider import (
    CallContext,
    CreateResult,
    DiffChanges,
    DiffResult,
    Provider,
    ProviderError,
    ReadResult,
)
from slipway.providers.values import PropertyMap

SLOW_SECONDS = 0.4

PROGRAM = """
import pulumi

class Thing(pulumi.CustomResource):
    size: pulumi.Output[int]
    def __init__(self, name, opts=None, **inputs):
        super().__init__("shop:index:Thing", name, inputs, opts)

config = pulumi.Config()
last = None
for number in range(config.get_int("things") or 3):
    depends = [last] if last and config.get_bool("chain") else []
    last = Thing(f"thing-{number}", pulumi.ResourceOptions(depends_on=depends), size=config.get_int("size") or 1,
                 password=pulumi.Output.secret("hunter2"))
pulumi.export("name", last.id)
pulumi.export("password", pulumi.Output.secret("hunter2"))
"""


class Shop(Provider):
    """Keeps Things as files."""

    name = "shop"
    version = "1.0.0"

    def __init__(self, folder: Path, *, adopts: bool = False) -> None:
        self._folder = folder
        self._adopts = adopts

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        if inputs.get("fails"):
            raise ProviderError("no more things")
        if ctx.preview:
            return CreateResult(id="", outputs=inputs)
        found = self._left_behind(ctx.name) if self._adopts else None
        name = found or f"{ctx.name}-{uuid4().hex[:6]}"
        self._file(name).write_text(json.dumps({"size": inputs["size"]}))
        if (self._folder / "slow").exists():
            time.sleep(SLOW_SECONDS)
        return CreateResult(id=name, outputs=inputs)

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        return news

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        if old_inputs == news:
            return DiffResult(changes=DiffChanges.NONE)
        replaces = ("size",) if old_inputs.get("size") != news.get("size") else ()
        return DiffResult(changes=DiffChanges.SOME, replaces=replaces)

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        return ReadResult(id=id if self._file(id).exists() else "", outputs=outputs, inputs=inputs)

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        self._file(id).unlink(missing_ok=True)

    def _file(self, id: str) -> Path:
        return self._folder / f"{id}.thing"

    def _left_behind(self, name: str) -> str | None:
        return next((path.stem for path in self._folder.glob(f"{name}-??????.thing")), None)
