"""Any `Provider`, served as a Pulumi plugin: for the Pulumi CLI (`PULUMI_DEBUG_PROVIDERS`) and for engines in other processes.

Each connection gets a provider instance of its own, because each of an engine's providers (default, explicit, of another region) opens
its own connection and configures it differently, while the protocol's calls do not say which one they mean.
"""

# grpc and google.rpc ship no types: what their stubs answer is fixed by the protocol.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownLambdaType=false
from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from slipway.engine.plugins.messages import (
    CHANNEL_OPTIONS,
    STATUS_DETAILS_KEY,
    decode_map,
    encode_diff,
    encode_error,
    encode_failures,
)
from slipway.engine.provider import CallContext, Provider, ProviderError
from slipway.engine.values import PropertyMap, contains_unknown
from slipway.engine.wire import Options, WireError, encode

Answer = TypeVar("Answer")

MAXIMUM_CALLS = 256
"""Calls served at once; each waits in a thread of its own while its resource is made."""
MAXIMUM_CONNECTIONS = 64
"""Instances kept; an engine uses a handful, and gRPC does not tell when a connection is gone."""
LOG_TIMEOUT_SECONDS = 5.0
PARENT_POLL_SECONDS = 2.0

_SEVERITIES = {
    "status": engine_pb2.INFO,
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}
_CONFIG = Options(keep_unknowns=True)
_log = logging.getLogger(__name__)
"""The standard library's, to stderr: on stdout a plugin says its port, and an engine shows the rest to the user."""


def serve(make_provider: Callable[[], Provider], *, engine_address: str = "", port: int = 0) -> ProviderServer:
    """Serve on loopback and return at once. `port` 0: any free one, see `ProviderServer.port`."""
    return ProviderServer(make_provider, engine_address=engine_address, port=port)


def run_plugin(make_provider: Callable[[], Provider], arguments: Sequence[str]) -> int:
    """A plugin's whole life: serve, print the port, wait for the end. `arguments`: flags, and the engine's address if one starts us."""
    engine_address = next((argument for argument in reversed(arguments) if not argument.startswith("-")), "")
    server = serve(make_provider, engine_address=engine_address)
    ended = end_on_signals()
    print(server.port, flush=True)  # noqa: T201 - the plugin protocol: the port is the first line
    parent = os.getppid()
    while not ended.wait(PARENT_POLL_SECONDS):
        if engine_address and os.getppid() != parent:
            break  # an engine that was killed stops no plugin; nobody else would
    server.stop()
    return 0


def end_on_signals() -> threading.Event:
    """Set at SIGTERM and Ctrl-C from now on."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    return ended


class ProviderServer:
    """A running server."""

    def __init__(self, make_provider: Callable[[], Provider], *, engine_address: str, port: int) -> None:
        self._instances = _Instances(make_provider, engine_address)
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=MAXIMUM_CALLS, thread_name_prefix="provider"), options=list(CHANNEL_OPTIONS)
        )
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer(self._instances), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self, grace_seconds: float = 0) -> None:
        """Stop taking calls, wait for running ones up to `grace_seconds`, and close the providers."""
        self._server.stop(grace_seconds).wait()
        self._instances.close()


class _Instance:
    """One connection's provider and the way back to its engine."""

    def __init__(self, provider: Provider, engine_address: str) -> None:
        self.provider = provider
        self._channel: grpc.Channel | None = None
        self._engine: engine_pb2_grpc.EngineStub | None = None
        provider.on_message = self._say
        self.attach(engine_address)

    def attach(self, engine_address: str) -> None:
        if not engine_address:
            return
        self._close_channel()
        self._channel = grpc.insecure_channel(engine_address, options=list(CHANNEL_OPTIONS))
        self._engine = engine_pb2_grpc.EngineStub(self._channel)

    def close(self) -> None:
        self.provider.close()
        self._close_channel()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = self._engine = None

    def _say(self, urn: str, severity: str, text: str) -> None:
        engine = self._engine
        if engine is None:
            return
        request = engine_pb2.LogRequest(
            urn=urn, severity=_SEVERITIES[severity], message=text, ephemeral=severity == "status"
        )
        try:
            engine.Log(request, timeout=LOG_TIMEOUT_SECONDS)
        except (grpc.RpcError, ValueError) as error:
            # An engine that is gone, or a channel closed meanwhile: the message has no reader left.
            _log.debug("a message about %s was not delivered: %s", urn, error)


class _Instances:
    """Provider instances by connection."""

    def __init__(self, make_provider: Callable[[], Provider], engine_address: str) -> None:
        self._make = make_provider
        self._engine_address = engine_address
        self._lock = threading.Lock()
        self._by_peer: OrderedDict[str, _Instance] = OrderedDict()
        self._configured: list[str] = []

    def find(self, peer: str) -> _Instance:
        """The connection's instance. A connection never seen before belongs to the engine that configured last, which has
        reconnected after some idle time; before any configuration it is a new one."""
        with self._lock:
            if peer not in self._by_peer and self._configured:
                return self._by_peer[self._configured[-1]]
            return self._get(peer)

    def own(self, peer: str) -> _Instance:
        """The connection's own instance, made if need be: for the calls an engine begins with."""
        with self._lock:
            return self._get(peer)

    def note_configured(self, peer: str) -> None:
        with self._lock:
            self._configured.append(peer)

    def close(self) -> None:
        with self._lock:
            instances = list(self._by_peer.values())
            self._by_peer.clear()
        for instance in instances:
            instance.close()

    def _get(self, peer: str) -> _Instance:
        if peer not in self._by_peer:
            self._by_peer[peer] = _Instance(self._make(), self._engine_address)
        self._by_peer.move_to_end(peer)
        while len(self._by_peer) > MAXIMUM_CONNECTIONS:
            oldest, instance = self._by_peer.popitem(last=False)
            self._configured = [known for known in self._configured if known != oldest]
            instance.close()
        return self._by_peer[peer]


class _Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Decodes, calls the provider, encodes."""

    # gRPC's names, and most calls need no more than the request.
    # ruff: noqa: N802

    def __init__(self, instances: _Instances) -> None:
        self._instances = instances

    def Handshake(self, request: provider_pb2.ProviderHandshakeRequest, context: Any) -> Any:
        instance = self._instances.own(context.peer())
        instance.attach(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=instance.provider.accepts_secrets, accept_resources=True, accepts_byte_string=True
        )

    def Attach(self, request: plugin_pb2.PluginAttach, context: Any) -> empty_pb2.Empty:
        self._instances.own(context.peer()).attach(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Any) -> plugin_pb2.PluginInfo:  # noqa: ARG002
        return plugin_pb2.PluginInfo(version=self._instances.own(context.peer()).provider.version or "0.0.0")

    def GetSchema(self, request: provider_pb2.GetSchemaRequest, context: Any) -> provider_pb2.GetSchemaResponse:  # noqa: ARG002
        provider = self._instances.own(context.peer()).provider
        schema = {"name": provider.name, "version": provider.version or "0.0.0"}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        provider = self._instances.own(context.peer()).provider
        olds, news = (decode_map(request, field, _CONFIG) for field in ("olds", "news"))
        ctx = _context(request, preview=contains_unknown(news))
        result = self._run(context, lambda: provider.check_config(ctx, olds, news))
        return provider_pb2.CheckResponse(inputs=encode(result.inputs), failures=encode_failures(result.failures))

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        provider = self._instances.own(context.peer()).provider
        inputs, outputs, news = (decode_map(request, field, _CONFIG) for field in ("old_inputs", "olds", "news"))
        ctx = _context(request, preview=contains_unknown(news))
        return encode_diff(self._run(context, lambda: provider.diff_config(ctx, inputs, outputs, news)))

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Any) -> provider_pb2.ConfigureResponse:
        provider = self._instances.own(context.peer()).provider
        inputs = (
            decode_map(request, "args", Options(keep_secrets=provider.accepts_secrets))
            if request.HasField("args")
            else {key.split(":config:", 1)[-1]: value for key, value in request.variables.items()}
        )
        self._run(context, lambda: provider.configure(_context(request, preview=False), inputs))
        self._instances.note_configured(context.peer())
        return provider_pb2.ConfigureResponse(
            acceptSecrets=provider.accepts_secrets, supportsPreview=True, acceptResources=True
        )

    def Check(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        provider = self._provider(context)
        olds, news = (self._decode(provider, request, field) for field in ("olds", "news"))
        ctx = _context(request, preview=contains_unknown(news))
        result = self._run(context, lambda: provider.check(ctx, olds, news))
        return provider_pb2.CheckResponse(inputs=encode(result.inputs), failures=encode_failures(result.failures))

    def Diff(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        provider = self._provider(context)
        inputs, outputs, news = (self._decode(provider, request, field) for field in ("old_inputs", "olds", "news"))
        ctx = _context(request, preview=contains_unknown(news))
        return encode_diff(self._run(context, lambda: provider.diff(ctx, request.id, inputs, outputs, news)))

    def Create(self, request: provider_pb2.CreateRequest, context: Any) -> provider_pb2.CreateResponse:
        provider = self._provider(context)
        if request.preview and not provider.supports_preview:
            # A handshake tells the engine that previews are answered, so the engine's own fallback is answered here.
            return provider_pb2.CreateResponse(properties=request.properties)
        result = self._run(
            context,
            lambda: provider.create(
                _context(request, preview=request.preview), self._decode(provider, request, "properties")
            ),
        )
        return provider_pb2.CreateResponse(id=result.id, properties=encode(result.outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:
        provider = self._provider(context)
        result = self._run(
            context,
            lambda: provider.read(
                _context(request, preview=False),
                request.id,
                self._decode(provider, request, "inputs"),
                self._decode(provider, request, "properties"),
            ),
        )
        response = provider_pb2.ReadResponse(id=result.id, properties=encode(result.outputs))
        if result.inputs is not None:
            response.inputs.CopyFrom(encode(result.inputs))
        return response

    def Update(self, request: provider_pb2.UpdateRequest, context: Any) -> provider_pb2.UpdateResponse:
        provider = self._provider(context)
        if request.preview and not provider.supports_preview:
            return provider_pb2.UpdateResponse(properties=request.news)
        outputs = self._run(
            context,
            lambda: provider.update(
                _context(request, preview=request.preview),
                request.id,
                self._decode(provider, request, "old_inputs"),
                self._decode(provider, request, "olds"),
                self._decode(provider, request, "news"),
            ),
        )
        return provider_pb2.UpdateResponse(properties=encode(outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: Any) -> empty_pb2.Empty:
        provider = self._provider(context)
        self._run(
            context,
            lambda: provider.delete(
                _context(request, preview=False),
                request.id,
                self._decode(provider, request, "old_inputs"),
                self._decode(provider, request, "properties"),
            ),
        )
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any) -> provider_pb2.InvokeResponse:
        provider = self._provider(context)
        result = self._run(
            context,
            lambda: provider.invoke(request.tok, self._decode(provider, request, "args"), preview=request.preview),
        )
        response = provider_pb2.InvokeResponse(failures=encode_failures(result.failures))
        getattr(response, "return").CopyFrom(encode(result.outputs))
        return response

    def Cancel(self, request: empty_pb2.Empty, context: Any) -> empty_pb2.Empty:  # noqa: ARG002
        self._provider(context).cancel()
        return empty_pb2.Empty()

    def GetMapping(self, request: Any, context: Any) -> provider_pb2.GetMappingResponse:  # noqa: ARG002
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: Any) -> provider_pb2.GetMappingsResponse:  # noqa: ARG002
        return provider_pb2.GetMappingsResponse()

    def _provider(self, context: Any) -> Provider:
        return self._instances.find(context.peer()).provider

    def _decode(self, provider: Provider, request: Any, field: str) -> PropertyMap:
        return decode_map(
            request, field, Options(keep_unknowns=True, keep_secrets=provider.accepts_secrets, keep_resources=True)
        )

    def _run(self, context: Any, call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - every failure must reach the engine as a status
            if not isinstance(error, (ProviderError, WireError)):
                _log.exception("the provider failed")
            status = encode_error(error)
            context.set_trailing_metadata(((STATUS_DETAILS_KEY, status.SerializeToString()),))
            code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
            return context.abort(code, status.message)


def _context(request: Any, *, preview: bool) -> CallContext:
    """The call's context. Checks and diffs do not say whether a preview asks; unknown inputs do."""
    autonaming = None
    if isinstance(request, provider_pb2.CheckRequest) and request.HasField("autonaming"):
        mode = provider_pb2.CheckRequest.AutonamingOptions.Mode.Name(request.autonaming.mode).lower()
        autonaming = {"proposed_name": request.autonaming.proposed_name, "mode": mode}
    return CallContext(
        urn=request.urn,
        type=request.type,
        name=request.name,
        timeout_seconds=getattr(request, "timeout", 0.0),
        preview=preview,
        ignore_changes=tuple(getattr(request, "ignoreChanges", ())),
        random_seed=getattr(request, "randomSeed", b""),
        autonaming=autonaming,
    )
