"""The package `pulumi`: stack references, stashes, and the lookup of resources that come back as references."""

from __future__ import annotations

# ruff: noqa: A002, ARG002 - the names and arguments are the provider interface's
import uuid
from collections.abc import Callable

from slipway.engine.deployment.context import Deployment
from slipway.engine.deployment.goal import STACK_REFERENCE_TYPE
from slipway.engine.provider import (
    CallContext,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffResult,
    InvokeResult,
    NotImplementedByProviderError,
    Provider,
    ProviderError,
    ReadResult,
)
from slipway.engine.state.model import Snapshot
from slipway.engine.urn import STACK_TYPE
from slipway.engine.values import PropertyMap, contains_secret

STASH_TYPE = "pulumi:index:Stash"
_INPUT_OF_TYPE = {STACK_REFERENCE_TYPE: "name", STASH_TYPE: "input"}

LoadStack = Callable[[str], Snapshot]
"""The state of another stack of the backend, by the name a stack reference gives; raises SlipwayError."""


class BuiltinProvider(Provider):
    """Serves the package `pulumi`, which has no plugin."""

    name = "pulumi"
    accepts_secrets = True
    supports_preview = True

    def __init__(self, deployment: Deployment, load_stack: LoadStack) -> None:
        self._deployment = deployment
        self._load_stack = load_stack

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """One input each, and required."""
        wanted = _INPUT_OF_TYPE.get(ctx.type)
        if wanted is None:
            raise NotImplementedByProviderError(f"pulumi: no resource type {ctx.type}")
        failures = [CheckFailure(property=key, reason=f'unknown property "{key}"') for key in news if key != wanted]
        if wanted not in news:
            failures.append(CheckFailure(property=wanted, reason=f'missing required property "{wanted}"'))
        return CheckResult(inputs=news, failures=tuple(failures))

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Another name is another reference; another input is taken into the stash."""
        if old_inputs == news:
            return DiffResult(changes=DiffChanges.NONE)
        key = _INPUT_OF_TYPE[ctx.type]
        replaces = (key,) if ctx.type == STACK_REFERENCE_TYPE else ()
        return DiffResult(changes=DiffChanges.SOME, diffs=(key,), replaces=replaces)

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """A stash keeps the first input as its output."""
        new_id = "" if ctx.preview else str(uuid.uuid4())
        if ctx.type == STACK_REFERENCE_TYPE:
            return CreateResult(id=new_id, outputs=self._stack_outputs(inputs))
        return CreateResult(id=new_id, outputs={"input": inputs["input"], "output": inputs["input"]})

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        """The stash's output stays what it was."""
        return {"input": news["input"], "output": old_outputs.get("output")}

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        """A stack reference reads the other stack's outputs anew; a stash is what the state says."""
        if ctx.type != STACK_REFERENCE_TYPE:
            return ReadResult(id=id, inputs=inputs, outputs=outputs)
        if "name" not in inputs:
            raise ProviderError("a stack reference cannot be imported")
        return ReadResult(id=id, inputs=inputs, outputs=self._stack_outputs(inputs))

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        """Nothing exists outside the state."""

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        """`readStackOutputs`, `readStackResourceOutputs` and `getResource`."""
        match token:
            case "pulumi:pulumi:readStackOutputs":
                return InvokeResult(outputs=self._stack_outputs(args))
            case "pulumi:pulumi:readStackResourceOutputs":
                snapshot = self._load_stack(str(args["stackName"]))
                outputs = {state.urn: state.outputs for state in snapshot.resources if not state.delete}
                return InvokeResult(outputs={"name": args["stackName"], "outputs": outputs})
            case "pulumi:pulumi:getResource":
                return InvokeResult(outputs=self._resource(str(args["urn"])))
            case _:
                raise NotImplementedByProviderError(f"pulumi: no function {token}")

    def _stack_outputs(self, args: PropertyMap) -> PropertyMap:
        name = str(args["name"])
        snapshot = self._load_stack(name)
        stack = next((state for state in snapshot.resources if state.type == STACK_TYPE and not state.delete), None)
        outputs = dict(stack.outputs) if stack else {}
        secret_names = sorted(key for key, value in outputs.items() if contains_secret(value))
        return {"name": name, "outputs": outputs, "secretOutputNames": secret_names}

    def _resource(self, urn: str) -> PropertyMap:
        with self._deployment.lock:
            state = self._deployment.states.get(urn)
        if state is None:
            raise ProviderError(f"unknown resource {urn}")
        return {"urn": urn, "id": state.id, "provider": state.provider, "state": state.outputs}
