"""Serves providers to Pulumi engines that attach (`PULUMI_DEBUG_PROVIDERS`): decodes, calls the provider, encodes."""

# grpc ships no types: what its stubs answer is fixed by the protocol.
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

# ruff: noqa: N802 - the methods' names are the protocol's
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from slipway.providers.messages import (
    STATUS_DETAILS_KEY,
    decode_context,
    encode_diff,
    encode_error,
    encode_failures,
)
from slipway.providers.provider import Provider, ProviderError
from slipway.providers.values import PropertyMap, contains_unknown
from slipway.providers.wire import WireError, decode, encode

Answer = TypeVar("Answer")

CHANNEL_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
"""A property map may hold a whole file: Pulumi allows 400 MB a message."""
MAXIMUM_CALLS = 256
"""Calls served at once; each waits in a thread of its own while its resource is made."""

_log = logging.getLogger(__name__)


class Peer(NamedTuple):
    """A connection on loopback by its two ports. One alone says little: connections to other ports may come from the same one."""

    client_port: int
    server_port: int


class Providers(Protocol):
    """Which provider serves which connection."""

    def open(self, peer: Peer, engine_address: str) -> Provider:
        """The provider for the call that an engine begins with."""
        ...

    def find(self, peer: Peer) -> Provider:
        """The provider of a connection that began before."""
        ...

    def close(self) -> None:
        """End the providers' waits."""
        ...


class ProviderServer:
    """One package, served on loopback."""

    def __init__(self, providers: Providers, *, port: int = 0) -> None:
        """Serve from now on. `port` 0 takes any free one. Raises RuntimeError when the port is taken."""
        self.providers = providers
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=MAXIMUM_CALLS, thread_name_prefix="provider"),
            # Without this, two daemons would share one port, and a command would reach either.
            options=[*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)],
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        servicer = ProviderServicer(providers, self.port)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, self._server)
        self._server.start()

    def stop(self) -> None:
        """Stop taking calls, and end running ones."""
        self._server.stop(0).wait()
        self.providers.close()


class ProviderServicer(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol's calls."""

    def __init__(self, providers: Providers, port: int) -> None:
        self._providers = providers
        self._port = port

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: Any
    ) -> provider_pb2.ProviderHandshakeResponse:
        provider = self._answered(context, lambda: self._providers.open(self._peer(context), request.engine_address))
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=provider.accepts_secrets)

    def Attach(self, request: plugin_pb2.PluginAttach, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()  # the handshake before it said the same

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Any) -> plugin_pb2.PluginInfo:
        return self._call(context, lambda provider: plugin_pb2.PluginInfo(version=provider.version))

    def GetSchema(self, request: provider_pb2.GetSchemaRequest, context: Any) -> provider_pb2.GetSchemaResponse:
        def call(provider: Provider) -> provider_pb2.GetSchemaResponse:
            return provider_pb2.GetSchemaResponse(
                schema=json.dumps({"name": provider.name, "version": provider.version})
            )

        return self._call(context, call)

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        def call(provider: Provider) -> provider_pb2.CheckResponse:
            olds, news = decode(request.olds), decode(request.news)
            ctx = decode_context(request, preview=contains_unknown(news))
            result = provider.check_config(ctx, olds, news)
            return provider_pb2.CheckResponse(inputs=encode(result.inputs), failures=encode_failures(result.failures))

        return self._call(context, call)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        def call(provider: Provider) -> provider_pb2.DiffResponse:
            inputs, outputs, news = decode(request.old_inputs), decode(request.olds), decode(request.news)
            ctx = decode_context(request, preview=contains_unknown(news))
            return encode_diff(provider.diff_config(ctx, inputs, outputs, news))

        return self._call(context, call)

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Any) -> provider_pb2.ConfigureResponse:
        def call(provider: Provider) -> provider_pb2.ConfigureResponse:
            provider.configure(decode_context(request, preview=False), _decode(provider, request.args))
            return provider_pb2.ConfigureResponse(acceptSecrets=provider.accepts_secrets, supportsPreview=True)

        return self._call(context, call)

    def Check(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        def call(provider: Provider) -> provider_pb2.CheckResponse:
            olds, news = _decode(provider, request.olds), _decode(provider, request.news)
            result = provider.check(decode_context(request, preview=contains_unknown(news)), olds, news)
            return provider_pb2.CheckResponse(inputs=encode(result.inputs), failures=encode_failures(result.failures))

        return self._call(context, call)

    def Diff(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        def call(provider: Provider) -> provider_pb2.DiffResponse:
            inputs, outputs, news = (
                _decode(provider, struct) for struct in (request.old_inputs, request.olds, request.news)
            )
            ctx = decode_context(request, preview=contains_unknown(news))
            return encode_diff(provider.diff(ctx, request.id, inputs, outputs, news))

        return self._call(context, call)

    def Create(self, request: provider_pb2.CreateRequest, context: Any) -> provider_pb2.CreateResponse:
        def call(provider: Provider) -> provider_pb2.CreateResponse:
            ctx = decode_context(request, preview=request.preview)
            result = provider.create(ctx, _decode(provider, request.properties))
            return provider_pb2.CreateResponse(id=result.id, properties=encode(result.outputs))

        return self._call(context, call)

    def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:
        def call(provider: Provider) -> provider_pb2.ReadResponse:
            inputs, outputs = _decode(provider, request.inputs), _decode(provider, request.properties)
            result = provider.read(decode_context(request, preview=False), request.id, inputs, outputs)
            if not result.id:
                return provider_pb2.ReadResponse()  # without properties: the engine says that there is none
            response = provider_pb2.ReadResponse(id=result.id, properties=encode(result.outputs))
            if result.inputs is not None:
                response.inputs.CopyFrom(encode(result.inputs))
            return response

        return self._call(context, call)

    def Update(self, request: provider_pb2.UpdateRequest, context: Any) -> provider_pb2.UpdateResponse:
        def call(provider: Provider) -> provider_pb2.UpdateResponse:
            inputs, outputs, news = (
                _decode(provider, struct) for struct in (request.old_inputs, request.olds, request.news)
            )
            ctx = decode_context(request, preview=request.preview)
            return provider_pb2.UpdateResponse(
                properties=encode(provider.update(ctx, request.id, inputs, outputs, news))
            )

        return self._call(context, call)

    def Delete(self, request: provider_pb2.DeleteRequest, context: Any) -> empty_pb2.Empty:
        def call(provider: Provider) -> empty_pb2.Empty:
            inputs, outputs = _decode(provider, request.old_inputs), _decode(provider, request.properties)
            provider.delete(decode_context(request, preview=False), request.id, inputs, outputs)
            return empty_pb2.Empty()

        return self._call(context, call)

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any) -> provider_pb2.InvokeResponse:
        def call(provider: Provider) -> provider_pb2.InvokeResponse:
            result = provider.invoke(request.tok, _decode(provider, request.args), preview=request.preview)
            response = provider_pb2.InvokeResponse(failures=encode_failures(result.failures))
            getattr(response, "return").CopyFrom(encode(result.outputs))
            return response

        return self._call(context, call)

    def Cancel(self, request: empty_pb2.Empty, context: Any) -> empty_pb2.Empty:
        def call(provider: Provider) -> empty_pb2.Empty:
            provider.cancel()
            return empty_pb2.Empty()

        return self._call(context, call)

    def GetMapping(self, request: Any, context: Any) -> provider_pb2.GetMappingResponse:
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: Any) -> provider_pb2.GetMappingsResponse:
        return provider_pb2.GetMappingsResponse()

    def _peer(self, context: Any) -> Peer:
        return Peer(int(context.peer().rpartition(":")[2]), self._port)

    def _call(self, context: Any, call: Callable[[Provider], Answer]) -> Answer:
        return self._answered(context, lambda: call(self._providers.find(self._peer(context))))

    @staticmethod
    def _answered(context: Any, call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - every failure must reach the engine as a status
            if not isinstance(error, (ProviderError, WireError)):
                _log.exception("the provider failed")
            status = encode_error(error)
            context.set_trailing_metadata(((STATUS_DETAILS_KEY, status.SerializeToString()),))
            code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
            return context.abort(code, status.message)


def _decode(provider: Provider, struct: Any) -> PropertyMap:
    return decode(struct, keep_secrets=provider.accepts_secrets)
