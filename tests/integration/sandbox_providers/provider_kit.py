"""What the tests of single types share: a resource's way through the provider, as the engine leads it."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import CallContext, Caller, CreateResult, DiffChanges
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.framework.journal import Journal


def context(token: str, name: str, stack: str = "dev", seed: str = "") -> CallContext:
    """Of a resource in one stack; `seed` is what generated names are made from."""
    urn = f"urn:pulumi:{stack}::shop::{token}::{name}"
    return CallContext(urn=urn, type=token, name=name, random_seed=(seed or name).encode())


def next_run(provider: AwsProvider, journal: Journal | None = None, backend: str = "") -> AwsProvider:
    """Another connection: configured alike, and without a memory of ids."""
    again = AwsProvider(Caller(environ={"PULUMI_BACKEND_URL": backend}), journal)
    again.__dict__["_session"] = provider.__dict__["_session"]
    return again


def checked(provider: AwsProvider, ctx: CallContext, /, **program: Any) -> dict[str, Any]:
    """Checked inputs."""
    result = provider.check(ctx, {}, program)
    assert not result.failures, result.failures
    return result.inputs


def made(provider: AwsProvider, token: str, key: str, /, **program: Any) -> CreateResult:
    """A new resource."""
    ctx = context(token, key)
    return provider.create(ctx, checked(provider, ctx, **program))


def refused(provider: AwsProvider, token: str, /, **program: Any) -> str:
    """What is wrong with the inputs."""
    failures = provider.check(context(token, "x"), {}, program).failures
    return "; ".join(f"{failure.property}: {failure.reason}" for failure in failures)


def client(provider: AwsProvider, service: str) -> Any:
    """boto3's own client of the same endpoint."""
    return provider._configured().client(service)  # pyright: ignore[reportPrivateUsage]


def created(provider: AwsProvider, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
    """Made, and read back the same by a refresh."""
    result = provider.create(ctx, inputs)
    found = provider.read(ctx, result.id, inputs, result.outputs)
    assert (found.inputs, found.outputs) == (inputs, result.outputs)
    return result


def changed(
    provider: AwsProvider, ctx: CallContext, was: CreateResult, olds: dict[str, Any], news: dict[str, Any]
) -> dict[str, Any]:
    """Updated in place; a refresh then finds nothing else, and the next preview nothing to do."""
    assert provider.diff(ctx, was.id, olds, was.outputs, news).replaces == ()
    outputs = provider.update(ctx, was.id, olds, was.outputs, news)
    found = provider.read(ctx, was.id, news, outputs)
    assert provider.diff(ctx, was.id, found.inputs or {}, found.outputs, news).changes is DiffChanges.NONE
    assert found.outputs == outputs
    assert outputs != was.outputs
    return outputs


def imported(provider: AwsProvider, ctx: CallContext, id_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Imported by its id alone: what it says of itself is accepted, and a program that says `inputs` has nothing to change."""
    found = provider.read(ctx, id_, {}, {})
    assert found.inputs is not None
    assert provider.check(ctx, {}, found.inputs).failures == ()
    assert provider.diff(ctx, found.id, found.inputs, found.outputs, inputs).changes is DiffChanges.NONE
    return found.outputs


def gone(provider: AwsProvider, ctx: CallContext, was: CreateResult, inputs: dict[str, Any]) -> bool:
    """Deleted, and once more, which is no error."""
    provider.delete(ctx, was.id, inputs, was.outputs)
    provider.delete(ctx, was.id, inputs, was.outputs)
    return provider.read(ctx, was.id, inputs, was.outputs).id == ""
