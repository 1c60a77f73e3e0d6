"""A provider in memory whose every call is recorded, and whose behaviour each test chooses per resource name."""

from __future__ import annotations

# ruff: noqa: A002 - `id` is the provider interface's word
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slipway.engine.provider import (
    CallContext,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffResult,
    InvokeResult,
    Provider,
    ProviderError,
    ReadResult,
)
from slipway.engine.values import UNKNOWN


@dataclass
class Cloud:
    """What exists, and what was asked of it, by all instances of the provider."""

    live: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Live resources' outputs by id."""
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    replace_keys: tuple[str, ...] = ("zone",)
    """Inputs whose change needs a replacement."""
    delete_first: bool = False
    on_create: dict[str, Callable[[CallContext, dict[str, Any]], Any]] = field(default_factory=dict)
    on_update: dict[str, Callable[[CallContext, dict[str, Any]], Any]] = field(default_factory=dict)
    on_delete: dict[str, Callable[[CallContext], Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def record(self, *call: Any) -> None:
        with self.lock:
            self.calls.append(call)

    def taken(self, *verbs: str) -> list[tuple[Any, ...]]:
        """The recorded calls of these verbs: (verb, name, ...)."""
        return [call for call in self.calls if call[0] in verbs]


class RecordingProvider(Provider):
    """Serves the package `test`: inputs become outputs, with a computed `address`; `name` is generated unless it is given."""

    name = "test"
    version = "1.0.0"
    supports_preview = True

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def configure(self, ctx: CallContext, inputs: dict[str, Any]) -> None:
        self.cloud.record("configure", ctx.name, dict(inputs))

    def diff_config(self, ctx: CallContext, old_inputs: Any, old_outputs: Any, news: Any) -> DiffResult:
        if old_inputs.get("region") != news.get("region"):
            return DiffResult(changes=DiffChanges.SOME, replaces=("region",), diffs=("region",))
        return DiffResult()

    def check(self, ctx: CallContext, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        self.cloud.record("check", ctx.name, dict(olds), dict(news))
        if news.get("size") == "bad":
            return CheckResult(inputs=news, failures=(CheckFailure(property="size", reason="must be a number"),))
        if "autoName" in news:
            return CheckResult(inputs={**news, "name": olds.get("name") or f"{ctx.name}-{ctx.random_seed.hex()[:7]}"})
        return CheckResult(inputs=news)

    def diff(self, ctx: CallContext, id: str, old_inputs: Any, old_outputs: Any, news: Any) -> DiffResult:
        self.cloud.record("diff", ctx.name, id, dict(old_inputs), dict(old_outputs), dict(news))
        changed = [key for key in {**old_inputs, **news} if old_inputs.get(key) != news.get(key)]
        if not changed:
            return DiffResult(changes=DiffChanges.NONE)
        replaces = tuple(key for key in changed if key in self.cloud.replace_keys)
        return DiffResult(
            changes=DiffChanges.SOME,
            diffs=tuple(changed),
            replaces=replaces,
            delete_before_replace=self.cloud.delete_first,
        )

    def create(self, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
        if ctx.preview:
            return CreateResult(id="", outputs={**inputs, "address": UNKNOWN})
        self.cloud.record("create", ctx.name, dict(inputs))
        hook = self.cloud.on_create.get(ctx.name)
        if hook is not None:
            hook(ctx, inputs)
        new_id = f"{ctx.name}-{next(self.cloud.numbers)}"
        outputs = {**inputs, "address": f"address-of-{new_id}"}
        with self.cloud.lock:
            self.cloud.live[new_id] = outputs
        return CreateResult(id=new_id, outputs=outputs)

    def read(self, ctx: CallContext, id: str, inputs: Any, outputs: Any) -> ReadResult:
        self.cloud.record("read", ctx.name, id)
        with self.cloud.lock:
            live = self.cloud.live.get(id)
        if live is None:
            return ReadResult(id="", outputs={})
        return ReadResult(id=id, outputs=dict(live), inputs={k: v for k, v in live.items() if k != "address"})

    def update(self, ctx: CallContext, id: str, old_inputs: Any, old_outputs: Any, news: Any) -> dict[str, Any]:
        if ctx.preview:
            return {**news, "address": old_outputs["address"]}
        self.cloud.record("update", ctx.name, id, dict(news))
        hook = self.cloud.on_update.get(ctx.name)
        if hook is not None:
            hook(ctx, news)
        outputs = {**news, "address": old_outputs["address"]}
        with self.cloud.lock:
            self.cloud.live[id] = outputs
        return outputs

    def delete(self, ctx: CallContext, id: str, inputs: Any, outputs: Any) -> None:
        self.cloud.record("delete", ctx.name, id)
        hook = self.cloud.on_delete.get(ctx.name)
        if hook is not None:
            hook(ctx)
        with self.cloud.lock:
            self.cloud.live.pop(id, None)

    def invoke(self, token: str, args: Any, *, preview: bool) -> InvokeResult:
        self.cloud.record("invoke", token, dict(args))
        if token == "test:index:fail":
            raise ProviderError("the function failed")
        if token == "test:index:refuse":
            return InvokeResult(outputs={}, failures=(CheckFailure(property="a", reason="is wrong"),))
        return InvokeResult(outputs={"echo": args.get("value"), "secretText": "plain"})
