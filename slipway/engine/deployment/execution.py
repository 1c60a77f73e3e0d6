"""Doing one step: the pending operation before it, the provider's call, the record after it, the hooks around it.

Every method returns the record as saved. A failed call is reported and recorded here and raised as `StepFailedError`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from slipway.engine.deployment.calls import ProviderCalls
from slipway.engine.deployment.compare import mark_secret_outputs
from slipway.engine.deployment.context import Deployment, Place, StepFailedError
from slipway.engine.deployment.providers import ProviderRegistry, public_config
from slipway.engine.events import Op, Step
from slipway.engine.provider import (
    CallContext,
    CheckResult,
    CreateResult,
    DiffResult,
    InitializationError,
    ProviderError,
    ReadResult,
    StatusUnknownError,
)
from slipway.engine.state.model import OperationType, PendingOperation, ResourceState
from slipway.engine.urn import is_provider_type, name_of
from slipway.engine.values import UNKNOWN, PropertyMap
from slipway.errors import OperationError, SlipwayError

Answer = TypeVar("Answer")


class ResourceCalls(Protocol):
    """What a step needs of a provider; fulfilled by providers and by the registry for provider resources."""

    @property
    def resumes_creates(self) -> bool: ...
    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult: ...
    def diff(self, ctx: CallContext, old: ResourceState, news: PropertyMap) -> DiffResult: ...
    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult: ...
    def update(self, ctx: CallContext, old: ResourceState, news: PropertyMap) -> PropertyMap: ...
    def read(self, ctx: CallContext, resource_id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult: ...
    def delete(self, ctx: CallContext, old: ResourceState) -> None: ...


class ProviderResourceCalls:
    """A provider resource's lifecycle: checking and comparing its configuration, and configuring it."""

    resumes_creates = False

    def __init__(self, registry: ProviderRegistry) -> None:
        self._registry = registry

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """CheckConfig."""
        return self._registry.check(ctx, olds, news)

    def diff(self, ctx: CallContext, old: ResourceState, news: PropertyMap) -> DiffResult:
        """DiffConfig."""
        return self._registry.diff(ctx, old, news)

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Configure under a new id."""
        provider_id = self._registry.configure(ctx.urn, ctx.type, inputs, "")
        return CreateResult(id=provider_id, outputs=public_config(inputs))

    def update(self, ctx: CallContext, old: ResourceState, news: PropertyMap) -> PropertyMap:
        """Configure under the id it has."""
        self._registry.configure(ctx.urn, ctx.type, news, old.id)
        return public_config(news)

    def read(self, ctx: CallContext, resource_id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:  # noqa: ARG002
        """A provider is what the state says."""
        return ReadResult(id=resource_id, inputs=inputs, outputs=outputs)

    def delete(self, ctx: CallContext, old: ResourceState) -> None:
        """Nothing exists outside the state."""


class Hooks(Protocol):
    """Runs the program's resource hooks."""

    def run(self, point: str, step: Step) -> None:
        """Run the hooks bound to `before_create`, ... of the step's record; raises ProviderError when a `before_` one fails."""
        ...


class NoHooks:
    """There is no program to call."""

    def run(self, point: str, step: Step) -> None:
        """Refuse hooks that only the program could run."""
        if step.state.resource_hooks.get(point):
            names = ", ".join(step.state.resource_hooks[point])
            raise ProviderError(f"the {point} hook {names} is not registered: run the operation with the program")


class StepRunner:
    """Does steps and records them."""

    def __init__(self, deployment: Deployment, hooks: Hooks) -> None:
        self.deployment = deployment
        self.hooks = hooks

    def interrupted_creates(self, urn: str) -> list[PendingOperation]:
        """Creates of this resource that a crash interrupted. There are several when the run that took one up was interrupted too."""
        pending = self.deployment.writer.base.pending_operations
        return [each for each in pending if each.type is OperationType.CREATING and each.resource.urn == urn]

    def calls_for(self, state: ResourceState) -> ResourceCalls | None:
        """The provider of a record; None for components."""
        if not state.custom:
            return None
        registry = self.deployment.providers
        if is_provider_type(state.type):
            return ProviderResourceCalls(registry)
        return registry.find(state.provider)

    def require_calls(self, state: ResourceState) -> ResourceCalls:
        """The provider of a custom resource's record."""
        calls = self.calls_for(state)
        if calls is None:
            raise OperationError("is a component, which no provider serves", where=state.urn)
        return calls

    def context(self, state: ResourceState, operation: str = "", *, random_seed: bytes = b"") -> CallContext:
        """What a provider call is told beside properties."""
        return CallContext(
            urn=state.urn,
            type=state.type,
            name=name_of(state.urn),
            timeout_seconds=state.custom_timeouts.get(operation, 0),
            preview=self.deployment.preview,
            ignore_changes=state.ignore_changes,
            random_seed=random_seed,
            resuming=operation == "create" and bool(self.interrupted_creates(state.urn)),
        )

    # ------------------------------------------------------------ steps of a registration

    def same(self, old: Place, new: ResourceState, *, emit: bool = True) -> ResourceState:
        """Nothing to do for the resource; what the program says about it otherwise is recorded."""
        before = old.state
        state = replace(
            new,
            id=before.id,
            outputs=before.outputs,
            init_errors=before.init_errors,
            created=before.created,
            modified=before.modified,
        )
        step = Step(op=Op.SAME, urn=state.urn, old=before, new=state)
        if emit:
            self.deployment.began(step)
        if is_provider_type(state.type):
            self.deployment.providers.configure(state.urn, state.type, state.inputs, state.id)
        self.deployment.record(None, add=state, retire=old)
        if emit:
            self.deployment.ended(step)
        return state

    def create(
        self, step: Step, new: ResourceState, calls: ResourceCalls | None, *, replaces: Place | None
    ) -> ResourceState:
        """Create; `replaces` is marked for deletion at the end, or dropped if it was deleted before."""
        made = self._perform(
            step,
            OperationType.CREATING,
            "create",
            lambda: (
                CreateResult(id="", outputs={})
                if calls is None
                else calls.create(self.context(new, "create"), new.inputs)
            ),
            on_init_error=lambda error, pending: self._finish_create(
                pending, _after_failed_create(new, error), replaces
            ),
        )
        result, pending = made
        now = _now()
        state = replace(
            new,
            id=result.id,
            outputs=mark_secret_outputs(result.outputs, new.inputs, new.additional_secret_outputs),
            init_errors=(),
            created=now,
            modified=now,
        )
        self._finish_create(pending, state, replaces)
        self._finish(replace(step, new=state), "create")
        return state

    def _finish_create(self, pending: PendingOperation | None, state: ResourceState, replaces: Place | None) -> None:
        if replaces is None:
            self.deployment.record(pending, add=state)
        elif replaces.state.pending_replacement:
            self.deployment.record(pending, add=state, retire=replaces)
        else:
            self.deployment.record(pending, add=state, amend=(replaces, replace(replaces.state, delete=True)))

    def update(self, step: Step, old: Place, new: ResourceState, calls: ResourceCalls | None) -> ResourceState:
        """Update in place."""
        before = old.state
        new = replace(new, id=before.id, created=before.created)

        def call() -> PropertyMap:
            if calls is None:
                return before.outputs
            return calls.update(self.context(new, "update"), before, new.inputs)

        def on_init_error(error: InitializationError, pending: PendingOperation | None) -> None:
            # The old inputs stay, so that the next run sees the same difference and tries again.
            outputs = mark_secret_outputs(error.outputs, new.inputs, new.additional_secret_outputs)
            partly = replace(
                new, inputs=error.inputs or before.inputs, outputs=outputs, init_errors=error.reasons, modified=_now()
            )
            self.deployment.record(pending, add=partly, retire=old)

        outputs, pending = self._perform(step, OperationType.UPDATING, "update", call, on_init_error=on_init_error)
        state = replace(
            new,
            outputs=outputs
            if calls is None
            else mark_secret_outputs(outputs, new.inputs, new.additional_secret_outputs),
            init_errors=(),
            modified=_now(),
        )
        self.deployment.record(pending, add=state, retire=old)
        self._finish(replace(step, new=state), "update")
        return state

    def read(
        self, step: Step, new: ResourceState, calls: ResourceCalls, *, old: Place | None, mark_old: bool
    ) -> ResourceState:
        """Read a live resource into the state; `mark_old`: the old record is managed and must be deleted at the end."""
        kind = OperationType.IMPORTING if step.op in (Op.IMPORT, Op.IMPORT_REPLACEMENT) else OperationType.READING
        answer, pending = self._perform(
            step,
            kind,
            "",
            lambda: self._read_existing(new, calls),
        )
        outputs = mark_secret_outputs(answer.outputs, new.inputs, new.additional_secret_outputs)
        inputs = new.inputs if new.external else answer.inputs if answer.inputs is not None else answer.outputs
        unchanged = old is not None and old.state.outputs == outputs and old.state.inputs == inputs
        # A read creates nothing: what was never the stack's has no times until what is read of it changes.
        created = modified = _now() if kind is OperationType.IMPORTING else None
        if kind is OperationType.READING and old is not None:
            created, modified = old.state.created, old.state.modified if unchanged else _now()
        state = replace(new, id=answer.id, inputs=inputs, outputs=outputs, created=created, modified=modified)
        if old is not None and mark_old:
            self.deployment.record(pending, add=state, amend=(old, replace(old.state, delete=True)))
        else:
            self.deployment.record(pending, add=state, retire=old)
        logical = step.logical and not (kind is OperationType.READING and unchanged)
        self._finish(replace(step, new=state, logical=logical), "")
        return state

    def _read_existing(self, new: ResourceState, calls: ResourceCalls) -> ReadResult:
        given = new.inputs if new.external else {}
        answer = calls.read(self.context(new, "read"), new.id, given, given)
        if not answer.id:
            raise ProviderError(f"resource '{new.id}' does not exist")
        return answer

    # ------------------------------------------------------------ deletes

    def delete(self, step: Step, old: Place, *, keep_pending: bool = False) -> None:
        """Delete; `keep_pending`: the record stays, marked as being replaced, until its successor exists."""
        before = old.state

        def call() -> None:
            calls = None if self._needs_no_call(before) else self.calls_for(before)
            if calls is not None and not self.deployment.preview:
                calls.delete(self.context(before, "delete"), before)

        _, pending = self._perform(step, OperationType.DELETING, "delete", call)
        if keep_pending:
            self.deployment.record(pending, amend=(old, replace(before, pending_replacement=True)))
        else:
            self.deployment.record(pending, retire=old)
        self._finish(step, "delete")

    def drop(self, step: Step, old: Place) -> None:
        """Take a record out of the state without touching anything outside it."""
        self.deployment.began(step)
        self.deployment.record(None, retire=old)
        self.deployment.ended(step)

    def _needs_no_call(self, state: ResourceState) -> bool:
        return (
            state.external
            or not state.custom
            or state.retain_on_delete
            or is_provider_type(state.type)
            or (bool(state.deleted_with) and state.deleted_with in self.deployment.condemned)
        )

    # ------------------------------------------------------------ around every provider call

    def _perform(
        self,
        step: Step,
        kind: OperationType,
        hook: str,
        call: Callable[[], Answer],
        *,
        on_init_error: Callable[[InitializationError, PendingOperation | None], None] | None = None,
    ) -> tuple[Answer, PendingOperation | None]:
        deployment = self.deployment
        needs_slot = step.state.custom and not is_provider_type(step.state.type)
        if needs_slot:
            deployment.slots.acquire()
        try:
            deployment.ensure_running()
            deployment.began(step)
            pending: PendingOperation | None = None
            try:
                self._run_before_hooks(hook, step)
                if needs_slot and not deployment.preview:
                    pending = deployment.writer.begin(kind, step.state)
                return call(), pending
            except InitializationError as error:
                if on_init_error is None:
                    deployment.record(pending)
                else:
                    on_init_error(error, pending)
                self._report(step, error, status=1)
            except (ProviderError, SlipwayError) as error:
                deployment.record(pending)
                self._report(step, error, status=2 if isinstance(error, StatusUnknownError) else 0)
            raise StepFailedError(step.urn)
        finally:
            if needs_slot:
                deployment.slots.release()

    def _report(self, step: Step, error: Exception, *, status: int) -> None:
        self.deployment.broke(step, status=status)
        self.deployment.fail(f"{_VERBS.get(step.op, step.op.value)} failed: {error}", urn=step.urn)

    def _run_before_hooks(self, hook: str, step: Step) -> None:
        if hook and step.state.resource_hooks:
            self.hooks.run(f"before_{hook}", step)

    def _finish(self, step: Step, hook: str) -> None:
        self.deployment.ended(step)
        if hook and step.state.resource_hooks:
            try:
                self.hooks.run(f"after_{hook}", step)
            except ProviderError as error:
                # The resource is as it should be; only what the program wanted to do afterwards is not.
                self.deployment.diagnose(f"after_{hook} hook failed: {error}", urn=step.urn)


_VERBS = {
    Op.CREATE: "create",
    Op.CREATE_REPLACEMENT: "create",
    Op.DELETE_REPLACED: "delete",
    Op.READ_REPLACEMENT: "read",
    Op.IMPORT_REPLACEMENT: "import",
}


def _after_failed_create(new: ResourceState, error: InitializationError) -> ResourceState:
    now = _now()
    return replace(
        new,
        id=error.id,
        inputs=error.inputs or new.inputs,
        outputs=mark_secret_outputs(error.outputs, new.inputs, new.additional_secret_outputs),
        init_errors=error.reasons,
        created=now,
        modified=now,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def is_unknown_id(value: object) -> bool:
    """Whether the id given to a read is not known yet."""
    return value is UNKNOWN or value == ""


__all__ = ["Hooks", "NoHooks", "ProviderCalls", "ProviderResourceCalls", "ResourceCalls", "StepRunner", "is_unknown_id"]
