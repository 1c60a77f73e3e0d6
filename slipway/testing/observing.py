"""Writes down what a program registers, without touching it: nothing of the SDK stays changed after a run."""

from __future__ import annotations

import inspect
import sys
import threading
import typing
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, cast

import grpc
import pulumi
from pulumi.runtime.stack import Stack

from slipway.providers.wire import decode

# ruff: noqa: N802 - gRPC's own names
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false


@dataclass
class Registration:
    """One resource that the program registered."""

    request: Any
    urn: str
    id: str
    outputs: dict[str, Any]


@dataclass
class Observation:
    """What one run of the program did."""

    registrations: list[Registration] = field(default_factory=list[Registration])
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Registered outputs of components and of the stack, by URN."""
    components: dict[str, pulumi.ComponentResource] = field(default_factory=dict[str, pulumi.ComponentResource])
    """By type and name, `type::name`."""
    orphans: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Resources without a parent that a component made: the resource and the component, each as `type::name`."""
    classes: dict[str, type] = field(default_factory=dict[str, type])
    applies: dict[str, bool] = field(default_factory=dict[str, bool])
    """Functions passed to `apply`, by where they are written, and whether each ran."""
    undefined: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Outputs that a component declares and never sets: the component as `type::name`, and the output."""
    engine_failed: bool = False
    """A call to the engine failed: the engine's diagnostics say more than the program's error."""
    error: BaseException | None = None

    def on_resource(self, made: pulumi.ResourceTransformationArgs) -> None:
        """Called in every resource's constructor, so the component that makes it is still on the call stack."""
        resource = made.resource
        self.classes[made.type_] = type(resource)
        key = f"{made.type_}::{made.name}"
        if isinstance(resource, pulumi.ComponentResource):
            self.components[key] = resource
        if made.opts.parent is None:
            maker = _component_under_construction(resource)
            if maker is not None:
                self.orphans.append((key, f"{maker.pulumi_resource_type}::{maker.pulumi_resource_name}"))

    async def find_undefined(self) -> None:
        """Look through the components' declared outputs. The SDK gives each one a value, which is None if the component sets none."""
        for key, component in self.components.items():
            for name in _declared_outputs(type(component)):
                value = getattr(component, name, None)
                if isinstance(value, pulumi.Output):
                    output = cast("pulumi.Output[Any]", value)
                    value = await output.future() if await output.is_known() else ...
                if value is None:
                    self.undefined.append((key, name))


class ObservedMonitor:
    """The engine's resource monitor, with an ear on what is registered."""

    def __init__(self, stub: Any, observation: Observation) -> None:
        self._stub = stub
        self._observation = observation

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except grpc.RpcError as error:
                if cast("Any", error).code() != grpc.StatusCode.UNIMPLEMENTED:
                    self._observation.engine_failed = True
                raise

        return call

    def RegisterResource(self, request: Any, *args: Any) -> Any:
        response = self.__getattr__("RegisterResource")(request, *args)
        self._observation.registrations.append(
            Registration(request, response.urn, response.id, decode(response.object))
        )
        return response

    def RegisterResourceOutputs(self, request: Any, *args: Any) -> Any:
        self._observation.outputs[request.urn] = decode(request.outputs)
        return self.__getattr__("RegisterResourceOutputs")(request, *args)


def _component_under_construction(resource: pulumi.Resource) -> Any:
    frame: FrameType | None = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] - shows whose constructor this is
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, pulumi.ComponentResource) and owner is not resource and not isinstance(owner, Stack):
            return owner
        frame = frame.f_back
    return None


_applies_lock = threading.Lock()


@contextmanager
def watched_applies(observation: Observation) -> Generator[None]:
    """Write down which functions given to `apply` ran. `Output.apply` is replaced for the time of the run only."""
    with _applies_lock:
        original = cast("Any", pulumi.Output.apply)

        def apply(self: Any, func: Callable[[Any], Any], run_with_unknowns: bool = False) -> Any:
            code = getattr(func, "__code__", None)
            if code is None or "site-packages" in code.co_filename or "/pulumi/" in code.co_filename:
                return original(self, func, run_with_unknowns)
            place = f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}"
            observation.applies.setdefault(place, False)

            def watched(value: Any) -> Any:
                observation.applies[place] = True
                return func(value)

            return original(self, watched, run_with_unknowns)

        pulumi.Output.apply = apply
        try:
            yield
        finally:
            pulumi.Output.apply = original


def _declared_outputs(cls: type) -> list[str]:
    hints: dict[str, Any] = {}
    for base in cls.__mro__[: cls.__mro__.index(pulumi.ComponentResource)]:
        try:
            hints |= inspect.get_annotations(base, eval_str=True)
        except NameError:  # a name that is imported for type checkers only
            continue
    return [
        name
        for name, hint in hints.items()
        if typing.get_origin(hint) is pulumi.Output and type(None) not in typing.get_args(typing.get_args(hint)[0])
    ]
