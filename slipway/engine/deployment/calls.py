"""One configured provider as the deployment calls it: secrets unwrapped and put back, unknowns kept out of real runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from slipway.engine.deployment.compare import annotate_secrets
from slipway.engine.provider import (
    CallContext,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffResult,
    InitializationError,
    InvokeResult,
    Provider,
    ProviderError,
    ReadResult,
    StatusUnknownError,
)
from slipway.engine.state.model import ResourceState
from slipway.engine.values import PropertyMap, contains_unknown, unwrap_secrets
from slipway.errors import SlipwayError

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class UnknownInRealRunError(ProviderError):
    """A value that only a preview may leave open has reached, or left, a provider in a real run."""


class ProviderCalls:
    """A provider and what the engine must do around each of its calls."""

    def __init__(self, provider: Provider, *, configured: bool, preview: bool) -> None:
        """`configured` False (previews only): its configuration is not known yet, so nothing can be asked of it."""
        self.provider = provider
        self.configured = configured
        self._preview = preview

    @property
    def resumes_creates(self) -> bool:
        """See `Provider.resumes_creates`."""
        return self.provider.resumes_creates

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Validated inputs; the program's own when the provider cannot be asked yet."""
        if not self.configured:
            return CheckResult(inputs=news)
        answer = guarded(lambda: self.provider.check(ctx, self._into(olds), self._into(news)))
        return CheckResult(inputs=self._out_of(answer.inputs, news), failures=answer.failures)

    def diff(self, ctx: CallContext, old: ResourceState, news: PropertyMap) -> DiffResult:
        """What an update to `news` would do; "something" when the provider cannot be asked yet."""
        if not self.configured:
            return DiffResult(changes=DiffChanges.SOME)
        inputs, outputs = self._into(old.inputs), self._into(old.outputs)
        return guarded(lambda: self.provider.diff(ctx, old.id, inputs, outputs, self._into(news)))

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Create, or say in a preview what is known of it."""
        if self._preview and not (self.configured and self.provider.supports_preview):
            return CreateResult(id="", outputs=inputs if self.configured else {})
        answer = self._mark_failure(inputs, lambda: self.provider.create(ctx, self._into_real(ctx, inputs)))
        if not self._preview:
            if not answer.id:
                raise ProviderError("the provider gave no id to what it created")
            _refuse_unknowns(ctx, answer.outputs, "the provider's answer")
        return CreateResult(id=answer.id, outputs=self._out_of(answer.outputs, inputs))

    def update(self, ctx: CallContext, old: ResourceState, news: PropertyMap) -> PropertyMap:
        """Update in place, or say in a preview what is known of it."""
        if self._preview and not (self.configured and self.provider.supports_preview):
            return news if self.configured else {}
        outputs = self._mark_failure(
            news,
            lambda: self.provider.update(
                ctx, old.id, self._into(old.inputs), self._into(old.outputs), self._into_real(ctx, news)
            ),
        )
        if not self._preview:
            _refuse_unknowns(ctx, outputs, "the provider's answer")
        return self._out_of(outputs, news)

    def read(self, ctx: CallContext, resource_id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        """The live resource; an empty id in the answer means that it is gone."""
        if not self.configured:
            return ReadResult(id=resource_id, inputs=inputs, outputs={})
        answer = self._mark_failure(
            inputs, lambda: self.provider.read(ctx, resource_id, self._into(inputs), self._into(outputs))
        )
        read_inputs = None if answer.inputs is None else self._out_of(answer.inputs, inputs)
        return ReadResult(
            id=answer.id, inputs=read_inputs, outputs=self._out_of(self._out_of(answer.outputs, outputs), inputs)
        )

    def delete(self, ctx: CallContext, old: ResourceState) -> None:
        """Delete the live resource."""
        guarded(lambda: self.provider.delete(ctx, old.id, self._into(old.inputs), self._into(old.outputs)))

    def invoke(self, token: str, args: PropertyMap) -> InvokeResult:
        """Run a function."""
        if not self.configured:
            return InvokeResult(outputs={})
        return guarded(lambda: self.provider.invoke(token, self._into(args), preview=self._preview))

    def _into(self, properties: PropertyMap) -> PropertyMap:
        return properties if self.provider.accepts_secrets else unwrap_secrets(properties)

    def _into_real(self, ctx: CallContext, properties: PropertyMap) -> PropertyMap:
        if not self._preview:
            _refuse_unknowns(ctx, properties, "an input")
        return self._into(properties)

    def _out_of(self, properties: PropertyMap, given: PropertyMap) -> PropertyMap:
        return properties if self.provider.accepts_secrets else annotate_secrets(properties, given)

    def _mark_failure(self, given: PropertyMap, call: Callable[[], Answer]) -> Answer:
        try:
            return guarded(call)
        except InitializationError as error:
            error.outputs = self._out_of(error.outputs, given)
            raise


def guarded(call: Callable[[], Answer]) -> Answer:
    """Call a provider; whatever it raises that is no error of ours becomes a ProviderError, because it is the resource's failure."""
    try:
        return call()
    except (ProviderError, SlipwayError):
        raise
    except Exception as error:
        _log.debug("a provider raised", exc_info=True)
        raise StatusUnknownError(f"{type(error).__name__}: {error}") from error


def _refuse_unknowns(ctx: CallContext, properties: PropertyMap, what: str) -> None:
    for key, value in properties.items():
        if contains_unknown(value):
            raise UnknownInRealRunError(f"{what} of {ctx.name} is not known in a real run: {key}")
