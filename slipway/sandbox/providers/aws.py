"""The stand-in AWS provider: pulumi-aws's types, properties and behaviour over boto3 and the sandbox's endpoint.

Differences from the real one, on purpose:
* It refuses to run without an endpoint, so that it never reaches the real AWS by accident.
* A create that was killed before its state was saved is finished by the next run: see `framework.journal` and `framework.adoption`.
"""

from __future__ import annotations

import threading
from typing import Any

from slipway.providers.provider import (
    CallContext,
    Caller,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffResult,
    InitializationError,
    InvokeResult,
    NotImplementedByProviderError,
    Provider,
    ProviderError,
    ReadResult,
)
from slipway.providers.values import PropertyMap, contains_unknown
from slipway.sandbox.providers.framework import adoption
from slipway.sandbox.providers.framework.check import DEFAULTS_KEY, check_inputs
from slipway.sandbox.providers.framework.diff import diff_inputs
from slipway.sandbox.providers.framework.faults import is_not_found, reported
from slipway.sandbox.providers.framework.functions import FunctionCall
from slipway.sandbox.providers.framework.journal import Journal, Notes
from slipway.sandbox.providers.framework.resource import Call, Resource
from slipway.sandbox.providers.framework.schema import resource_schema
from slipway.sandbox.providers.framework.session import Session
from slipway.sandbox.providers.framework.settings import check_config, parse_settings
from slipway.sandbox.providers.framework.state import (
    imported_inputs,
    merged_outputs,
    planned_outputs,
    refreshed_inputs,
    without_defaults,
)
from slipway.sandbox.providers.services import registry

VERSION = "7.51.1"


class AwsProvider(Provider):
    """The package `aws`."""

    name = "aws"
    version = VERSION

    def __init__(self, caller: Caller | None = None, journal: Journal | None = None) -> None:
        """`journal`: of interrupted creates; None begins an empty one."""
        super().__init__(caller)
        self._notes = Notes(journal or Journal(), backend=self.caller.environ.get("PULUMI_BACKEND_URL", ""))
        self._session: Session | None = None
        self._cancelled = threading.Event()
        self._seen = adoption.SeenIds()

    # -- configuration

    def check_config(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Refuse unknown properties and nested values that are not JSON."""
        return CheckResult(inputs=news, failures=tuple(check_config(news)))

    def diff_config(
        self, ctx: CallContext, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """A new region does not replace anything: since 7.0 every resource carries its own."""
        ignored = {"version", "__internal"}
        changed = [
            k for k in sorted(old_inputs.keys() | news.keys()) if k not in ignored and old_inputs.get(k) != news.get(k)
        ]
        return DiffResult(changes=DiffChanges.SOME if changed else DiffChanges.NONE, diffs=tuple(changed))

    def configure(self, ctx: CallContext, inputs: PropertyMap) -> None:
        """Take region, endpoints, credentials and tags."""
        session = Session(parse_settings(inputs, self.caller.environ))
        with reported("sts"):
            session.check_account()
        self._session = session

    # -- resources

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Validate and complete the inputs of one resource."""
        resource = self._resource(ctx)
        note = None if olds else self._notes.interrupted(ctx.urn, resource.token)
        if note is not None and note.name and resource.auto_name is not None:
            olds = {resource.auto_name.property: note.name, DEFAULTS_KEY: [resource.auto_name.property]}
        inputs, failures = check_inputs(
            resource, resource_schema(resource.token), ctx, olds, news, self._configured().settings
        )
        return CheckResult(inputs=inputs, failures=tuple(failures))

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Compare inputs by meaning."""
        resource = self._resource(ctx)
        self._known(ctx, resource, id)
        schema = resource_schema(resource.token)
        return diff_inputs(resource, schema, old_inputs or imported_inputs(resource, schema, old_outputs), news)

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Make the resource, or adopt what a killed run of this stack made of it."""
        resource = self._resource(ctx)
        schema = resource_schema(resource.token)
        known = without_defaults(inputs)
        if ctx.preview:
            return CreateResult(id="", outputs=planned_outputs(resource, schema, known, None))
        with self._notes.creating(ctx.urn, resource.token, _generated_name(resource, inputs)) as note:
            call = self._call(ctx, known, resuming=note is not None, interrupted_id=note.id if note else "")
            with reported(resource.token):
                id_ = self._made(resource, call)
        self._seen.add(resource.token, id_)
        try:
            with reported(resource.token):
                live = resource.read(call, id_)
        except ProviderError as error:
            raise InitializationError(id=id_, outputs=known, reasons=[str(error)], inputs=inputs) from error
        if live is None:
            raise ProviderError(f"{resource.token}: {id_} was created, but cannot be found")
        return CreateResult(id=id_, outputs={**merged_outputs(resource, call, live, known), "id": id_})

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        """Read the live resource for a refresh (state is given) or an import (only the id is)."""
        resource = self._resource(ctx)
        schema = resource_schema(resource.token)
        self._known(ctx, resource, id)
        call = self._call(ctx, without_defaults(inputs), outputs=outputs)
        importing = not inputs and not outputs
        with reported(resource.token):
            if importing:
                resource.import_outputs(call, id)
            try:
                live = resource.read(call, id)
            except Exception as error:
                if not is_not_found(error):
                    raise
                live = None
        if live is None:
            return ReadResult(id="", outputs={})
        base = call.inputs if importing else {**outputs, **call.inputs}
        result = merged_outputs(resource, call, live, base)
        if importing:
            id_ = str(live.get("id") or id)
            return ReadResult(id=id_, outputs={**result, "id": id_}, inputs=imported_inputs(resource, schema, result))
        return ReadResult(
            id=id, outputs={**result, "id": id}, inputs=refreshed_inputs(resource, inputs, result) if inputs else None
        )

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        """Apply the changed inputs and read the result back."""
        resource = self._resource(ctx)
        schema = resource_schema(resource.token)
        olds = without_defaults(old_inputs) or imported_inputs(resource, schema, old_outputs)
        known = without_defaults(news)
        if ctx.preview:
            return planned_outputs(resource, schema, known, old_outputs, olds)
        self._known(ctx, resource, id)
        changed = frozenset(diff_inputs(resource, schema, olds, known).diffs)
        call = self._call(ctx, known, old_inputs=olds, outputs=old_outputs, changed=changed)
        with reported(resource.token):
            adoption.apply_update(resource, call, id)
            live = resource.read(call, id)
        if live is None:
            raise ProviderError(f"{resource.token}: {id} is gone; run a refresh")
        return {**merged_outputs(resource, call, live, {**write_only(resource, old_outputs), **known}), "id": id}

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        """Delete; what is gone already is no error."""
        resource = self._resource(ctx)
        self._known(ctx, resource, id)
        call = self._call(ctx, without_defaults(inputs), outputs=outputs)
        with reported(resource.token):
            try:
                resource.delete(call, id)
            except Exception as error:
                if not is_not_found(error):
                    raise

    # -- functions

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        """Run one of the supported functions."""
        function = registry.function(token)
        if function is None:
            raise NotImplementedByProviderError(registry.unsupported(token))
        arguments = {name: value for name, value in args.items() if value is not None}
        if contains_unknown(arguments):
            if preview:
                return InvokeResult(outputs={})
            raise ProviderError(f"{token}: an argument is not known")
        with reported(token):
            outputs = function.run(FunctionCall(session=self._configured(), token=token, args=arguments))
        return InvokeResult(outputs=outputs)

    def cancel(self) -> None:
        """End all waits."""
        self._cancelled.set()

    # -- the rest

    def _configured(self) -> Session:
        if self._session is None:
            raise ProviderError("aws: the provider is not configured")
        return self._session

    def _resource(self, ctx: CallContext) -> Resource:
        resource = registry.resource(ctx.type)
        if resource is None:
            raise NotImplementedByProviderError(registry.unsupported(ctx.type))
        return resource

    def _call(self, ctx: CallContext, inputs: PropertyMap, **rest: Any) -> Call:
        folder, session = self.caller.folder, self._configured()
        return Call(session=session, ctx=ctx, inputs=inputs, cancelled=self._cancelled, folder=folder, **rest)

    def _known(self, ctx: CallContext, resource: Resource, id: str) -> None:
        """A state knows this resource."""
        self._seen.add(resource.token, id)
        self._notes.known(ctx.urn, id)

    def _made(self, resource: Resource, call: Call) -> str:
        try:
            id_ = adoption.create_or_adopt(resource, resource_schema(resource.token), call, self._seen)
        except Exception as error:
            if adoption.is_conflict(resource, error):
                self._notes.refused(call.ctx.urn)
            raise
        self._notes.created(call.ctx.urn, id_)
        return id_


def write_only(resource: Resource, outputs: PropertyMap) -> PropertyMap:
    """What only the state knows of a resource."""
    return {name: value for name, value in outputs.items() if name in resource.write_only}


def _generated_name(resource: Resource, inputs: PropertyMap) -> str:
    rule = resource.auto_name
    return str(inputs[rule.property]) if rule and rule.property in (inputs.get(DEFAULTS_KEY) or ()) else ""
