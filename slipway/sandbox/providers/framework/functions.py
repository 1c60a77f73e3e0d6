"""What a function (a data source) says about itself, and the call in which it acts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.providers.provider import CallContext, ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Resource
from slipway.sandbox.providers.framework.schema import function_schema
from slipway.sandbox.providers.framework.session import Session
from slipway.sandbox.providers.framework.state import split_tags


@dataclass(frozen=True)
class FunctionCall:
    """One call of one function."""

    session: Session
    token: str
    args: PropertyMap

    @property
    def region(self) -> str:
        """The function's own `region`, else the provider's."""
        return str(self.args.get("region") or self.session.settings.region)

    def client(self, service: str) -> Any:
        """The service's client in the function's region."""
        return self.session.client(service, self.region)

    def required(self, name: str) -> Any:
        """An argument that must be there; ProviderError names it otherwise."""
        if name not in self.args:
            raise ProviderError(f'Missing required argument. The argument "{name}" is required.')
        return self.args[name]


@dataclass(frozen=True)
class Function:
    """A function that the provider serves."""

    token: str
    run: Callable[[FunctionCall], PropertyMap]


def function(token: str) -> Callable[[Callable[[FunctionCall], PropertyMap]], Function]:
    """Make the function below the one that is served under this token."""
    return lambda run: Function(token, run)


def looked_up(
    token: str,
    resource: Resource,
    find: Callable[[FunctionCall], str],
    renamed: Mapping[str, str] | None = None,
    inputs: Collection[str] = (),
) -> Function:
    """A function that reads `resource` by the id that `find` answers.

    `renamed`: the function's name by the type's. `inputs`: arguments that the reading needs besides, as inputs.
    """

    def run(call: FunctionCall) -> PropertyMap:
        id_ = find(call)
        context = CallContext(urn="", type=resource.token, name=id_)
        given = {name: call.args[name] for name in inputs if name in call.args}
        read = Call(session=call.session, ctx=context, inputs={**given, "region": call.region})
        live = resource.read(read, id_)
        if live is None:
            raise ProviderError(f"{call.token}: couldn't find resource: {id_}")
        outputs = split_tags(live, read)
        outputs["tags"] = outputs.get("tagsAll", {})
        return {**call.args, **_shaped(call.token, {**outputs, "region": call.region}, renamed or {}), "id": id_}

    return Function(token, run)


def _shaped(token: str, outputs: PropertyMap, renamed: Mapping[str, str]) -> PropertyMap:
    """Only what the function answers; objects become lists of one where the function has lists."""
    kinds = function_schema(token).outputs
    named = {renamed.get(name, name): value for name, value in outputs.items() if value is not None}
    return {
        name: [value] if kinds[name].startswith("list<") and isinstance(value, dict) else value
        for name, value in named.items()
        if name in kinds
    }


def argument(name: str) -> Callable[[FunctionCall], str]:
    """The id is this argument."""
    return lambda call: str(call.required(name))


def the_one(what: str, found: list[str]) -> str:
    """The only one that matches; ProviderError otherwise."""
    if len(found) != 1:
        problem = "no matching" if not found else f"{len(found)} matching"
        raise ProviderError(f"{problem} {what} found; change the search criteria to match exactly one")
    return found[0]


def plurals(*names: str) -> dict[str, str]:
    """For `renamed`: functions name a list of one in the plural."""
    return {name: f"{name}s" for name in names}
