"""The fake provider of every package: checks inputs against the SDK's schema and answers with stable values. It creates nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from slipway.providers.provider import (
    CallContext,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffKind,
    DiffResult,
    InvokeResult,
    NotImplementedByProviderError,
    PropertyDiff,
    Provider,
    ReadResult,
    StatusUnknownError,
)
from slipway.providers.schema import ResourceSchema, alternatives, function_schema, resource_schema
from slipway.providers.server import Peer
from slipway.providers.values import UNKNOWN, PropertyMap, unwrap_secrets
from slipway.providers.wire import UNKNOWN_SENTINEL
from slipway.testing.checking import Fault, check_properties
from slipway.testing.replacement import Change, compare, replacing
from slipway.testing.values import Identity, compute_outputs, compute_result, hide_computed, kubernetes_id, merge

_ENGINE_OPTIONS = frozenset({"version", "pluginDownloadURL", "pluginChecksums", "parameterization"})
"""Inputs of every provider resource that are the engine's own."""


@dataclass(frozen=True)
class Call:
    """What a provider is asked: passed to the functions in `answers` and `invokes`."""

    token: str
    name: str
    inputs: Mapping[str, Any]


Answer = Mapping[str, Any] | Callable[[Call], Mapping[str, Any]]
"""Values that replace the made-up ones, or a function that returns them. A function that raises makes the call fail."""


@dataclass
class Cloud:
    """What the fake providers of one test know."""

    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    invokes: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    replace_on: Mapping[str, Iterable[str]] = field(default_factory=dict[str, Iterable[str]])
    check_schema: bool = True
    classes: dict[str, type] = field(default_factory=dict[str, type])
    """Resource classes by token, as the program used them."""
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Inputs by URN as they reached the provider, after transforms and `ignore_changes`."""

    def schema(self, token: str) -> ResourceSchema | None:
        """What the SDK says about a type; None where the program has no class for it."""
        cls = self.classes.get(token)
        return resource_schema(cls, token) if cls else None


class FakeProvider(Provider):
    """One provider for all packages: every call says which type or function it is about."""

    accepts_secrets = True
    version = "9999.0.0"  # it stands for packages of many versions, and the engine warns of a version below the SDK's

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self._cloud = cloud

    def check_config(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Check a provider resource's own inputs."""
        schema = self._cloud.schema(ctx.type)
        plain = {
            name: _parse_config(value, schema, name) for name, value in news.items() if name not in _ENGINE_OPTIONS
        }
        return self._checked(ctx, news, plain)

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Check inputs against the SDK's schema."""
        return self._checked(ctx, news, news)

    def _checked(self, ctx: CallContext, news: PropertyMap, values: Mapping[str, Any]) -> CheckResult:
        self._cloud.inputs[ctx.urn] = news
        schema = self._cloud.schema(ctx.type)
        faults: list[Fault] = []
        if schema is not None and self._cloud.check_schema:
            faults = list(check_properties(values, schema.inputs, open_=schema.open))
        failures = (CheckFailure(property=f.path, reason=f"{f.path}: {f.reason}") for f in faults)
        return CheckResult(inputs=news, failures=tuple(failures))

    def diff_config(
        self, ctx: CallContext, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Changes of a provider resource; none of them replaces it."""
        return _diff(list(compare(old_inputs, news)), [])

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Changes of the inputs, and which of them make a new resource."""
        changes = list(compare(old_inputs, news))
        schema = self._cloud.schema(ctx.type)
        forcing = replacing(ctx.type, changes, schema.inputs if schema else {}, self._cloud.replace_on)
        # A named object of Kubernetes cannot exist twice.
        return _diff(changes, forcing, delete_before_replace=bool(forcing) and ctx.type.startswith("kubernetes:"))

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Answer with made-up outputs under a stable ID."""
        outputs = self._outputs(ctx, inputs, preview=ctx.preview)
        known = kubernetes_id(outputs) if ctx.type.startswith("kubernetes:") else None
        given = outputs.pop("id", None)
        made = known or Identity(ctx.type, ctx.name).id if given in (None, "") else given
        return CreateResult(id="" if ctx.preview else made, outputs=outputs)

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        """The old outputs with what the new inputs say."""
        known = {**old_outputs, **news}
        return {**known, **self._outputs(ctx, known, preview=False)}

    def _outputs(self, ctx: CallContext, inputs: Mapping[str, Any], *, preview: bool) -> dict[str, Any]:
        computed = compute_outputs(Identity(ctx.type, ctx.name), self._cloud.schema(ctx.type), inputs)
        answer = _answer(self._cloud.answers.get(ctx.type), ctx.type, ctx.name, inputs)
        outputs = merge(merge(computed, inputs), answer)
        return cast("dict[str, Any]", hide_computed(outputs, inputs) if preview else outputs)

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        """The state as it is, or made-up outputs of a resource that the program looks up by its ID."""
        return ReadResult(id=id, outputs=outputs or self._outputs(ctx, {}, preview=False), inputs=inputs)

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        """Nothing is there to be deleted."""

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        """The test's answer over made-up results."""
        arguments = cast("PropertyMap", unwrap_secrets(args))
        schema = function_schema(token)
        if schema is not None and self._cloud.check_schema:
            faults = check_properties(arguments, schema.arguments)
            failures = tuple(CheckFailure(property=f.path, reason=f.reason) for f in faults)
            if failures:
                return InvokeResult(outputs={}, failures=failures)
        given = self._cloud.invokes.get(token)
        if schema is None and given is None:
            raise NotImplementedByProviderError(
                f"the fake provider knows no result of {token}; pass one: invokes={{{token!r}: {{...}}}}"
            )
        answer = _answer(given, token, "", arguments)
        return InvokeResult(outputs=merge(compute_result(token, schema.outputs if schema else {}, arguments), answer))


class AnyConnection:
    """One provider for every connection."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def open(self, peer: Peer, engine_address: str) -> Provider:
        """The provider."""
        return self._provider

    def find(self, peer: Peer) -> Provider:
        """The provider."""
        return self._provider

    def close(self) -> None:
        """Nothing waits."""


def _diff(changes: list[Change], forcing: list[Change], *, delete_before_replace: bool = False) -> DiffResult:
    return DiffResult(
        changes=DiffChanges.SOME if changes else DiffChanges.NONE,
        diffs=tuple(sorted({change.names.split(".")[0] for change in changes})),
        replaces=tuple(sorted({change.names for change in forcing})),
        detailed={change.path: PropertyDiff(kind=_kind(change, change in forcing)) for change in changes},
        delete_before_replace=delete_before_replace,
    )


def _answer(answer: Answer | None, token: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if not callable(answer):
        return answer or {}
    try:
        return answer(Call(token, name, inputs))
    except Exception as error:  # what the test's own function raises is the provider's answer
        raise StatusUnknownError(str(error)) from error


def _parse_config(value: Any, schema: ResourceSchema | None, name: str) -> Any:
    """Providers take their configuration as text; what is not meant to be text is JSON."""
    declared = schema.inputs.get(name) if schema else None
    if not isinstance(value, str) or declared is None or str in alternatives(declared.hint):
        return value
    try:
        return json.loads(value, object_hook=_known)
    except ValueError:
        return value


def _known(fields: dict[str, Any]) -> Any:
    return UNKNOWN if UNKNOWN_SENTINEL in fields.values() else fields


def _kind(change: Change, forcing: bool) -> DiffKind:
    return DiffKind(f"{change.kind}-replace" if forcing else change.kind)
