"""The fake provider of every package: checks inputs against the SDK's schema and answers with stable values. It creates nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from slipway.testing.checking import Fault, check_properties
from slipway.testing.replacement import Change, compare, replacing
from slipway.testing.schema import ResourceSchema, alternatives, function_schema, resource_schema
from slipway.testing.values import Identity, compute_outputs, compute_result, hide_computed, kubernetes_id
from slipway.testing.wire import UNKNOWN, decode_struct, encode_struct, merge, reveal

# gRPC's own names and untyped contexts: this module is the border to the wire.
# ruff: noqa: N802, ARG002
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false


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


class FakeProvider(ResourceProviderServicer):
    """One servicer for all packages: every request says which type or function it is about."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        # One servicer stands for packages of many versions, and the engine warns of a version below the SDK's.
        return plugin_pb2.PluginInfo(version="9999.0.0")

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        news = decode_struct(request.news)
        self._cloud.inputs[request.urn] = news
        schema = self._cloud.schema(request.type)
        plain = {
            name: _parse_config(value, schema, name) for name, value in news.items() if name not in _ENGINE_OPTIONS
        }
        return self._checked(request, plain, schema)

    def Check(self, request: Any, context: Any) -> Any:
        news = decode_struct(request.news)
        self._cloud.inputs[request.urn] = news
        return self._checked(request, news, self._cloud.schema(request.type))

    def _checked(self, request: Any, values: Mapping[str, Any], schema: ResourceSchema | None) -> Any:
        faults: list[Fault] = []
        if schema is not None and self._cloud.check_schema:
            faults = list(check_properties(values, schema.inputs, open_=schema.open))
        return provider_pb2.CheckResponse(
            inputs=request.news,
            failures=[provider_pb2.CheckFailure(property=f.path, reason=f"{f.path}: {f.reason}") for f in faults],
        )

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return self._diff(request, replaces=False)

    def Diff(self, request: Any, context: Any) -> Any:
        return self._diff(request, replaces=True)

    def _diff(self, request: Any, *, replaces: bool) -> Any:
        token = request.type
        changes = list(compare(decode_struct(request.old_inputs), decode_struct(request.news)))
        schema = self._cloud.schema(token)
        forcing = replacing(token, changes, schema.inputs if schema else {}, self._cloud.replace_on) if replaces else []
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({_top(change) for change in changes}),
            replaces=sorted({change.names for change in forcing}),
            detailedDiff={
                change.path: provider_pb2.PropertyDiff(kind=_kind(change, change in forcing), inputDiff=True)
                for change in changes
            },
            hasDetailedDiff=True,
            # A named object of Kubernetes cannot exist twice.
            deleteBeforeReplace=bool(forcing) and token.startswith("kubernetes:"),
        )

    def Create(self, request: Any, context: Any) -> Any:
        inputs = decode_struct(request.properties)
        try:
            outputs = self._outputs(request, inputs, preview=request.preview)
        except Exception as error:  # noqa: BLE001 - what the test's own function raises is the provider's answer
            return context.abort(grpc.StatusCode.UNKNOWN, str(error))
        known = kubernetes_id(outputs) if request.type.startswith("kubernetes:") else None
        made = outputs.pop("id", None) or known or Identity(request.type, request.name).id
        return provider_pb2.CreateResponse(id="" if request.preview else made, properties=encode_struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        inputs = decode_struct(request.news)
        known = {**decode_struct(request.olds), **inputs}
        outputs = {**known, **self._outputs(request, known, preview=False)}
        return provider_pb2.UpdateResponse(properties=encode_struct(outputs))

    def _outputs(self, request: Any, inputs: Mapping[str, Any], *, preview: bool) -> dict[str, Any]:
        identity = Identity(request.type, request.name)
        computed = compute_outputs(identity, self._cloud.schema(request.type), inputs)
        answer = _answer(self._cloud.answers.get(request.type), request.type, request.name, inputs)
        outputs = merge(merge(computed, inputs), answer)
        return cast("dict[str, Any]", hide_computed(outputs, inputs) if preview else outputs)

    def Read(self, request: Any, context: Any) -> Any:
        properties = decode_struct(request.properties)
        if not properties:
            # An existing resource that the program looks up by its ID.
            properties = {**self._outputs(request, {}, preview=False)}
        return provider_pb2.ReadResponse(id=request.id, properties=encode_struct(properties), inputs=request.inputs)

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        arguments = reveal(decode_struct(request.args))
        schema = function_schema(request.tok)
        if schema is not None and self._cloud.check_schema:
            faults = list(check_properties(arguments, schema.arguments))
            if faults:
                return provider_pb2.InvokeResponse(
                    failures=[provider_pb2.CheckFailure(property=f.path, reason=f.reason) for f in faults]
                )
        given = self._cloud.invokes.get(request.tok)
        if schema is None and given is None:
            return context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"the fake provider knows no result of {request.tok}; pass one: invokes={{{request.tok!r}: {{...}}}}",
            )
        try:
            answer = _answer(given, request.tok, "", arguments)
        except Exception as error:  # noqa: BLE001 - as in Create
            return context.abort(grpc.StatusCode.UNKNOWN, str(error))
        result = compute_result(request.tok, schema.outputs if schema else {}, arguments)
        returned: Any = {"return": encode_struct(merge(result, answer))}  # `return` is no name in Python
        return provider_pb2.InvokeResponse(**returned)


def _answer(answer: Answer | None, token: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if answer is None:
        return {}
    return answer(Call(token, name, inputs)) if callable(answer) else answer


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
    return UNKNOWN if "04da6b54-80e4-46f7-96ec-b56ff0331ba9" in fields.values() else fields


def _top(change: Change) -> str:
    return change.names.split(".")[0]


def _kind(change: Change, forcing: bool) -> Any:
    name = {"add": "ADD", "delete": "DELETE", "update": "UPDATE"}[change.kind] + ("_REPLACE" if forcing else "")
    return provider_pb2.PropertyDiff.Kind.Value(name)
