"""A provider plugin as the engine's `Provider`: the same calls, over gRPC."""

# grpc and google.rpc ship no types: what their stubs answer is fixed by the protocol.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownLambdaType=false
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from slipway.engine.plugins.engine_server import EngineServer
from slipway.engine.plugins.launch import PluginProcess, connect, debug_port, find_provider
from slipway.engine.plugins.messages import (
    AUTONAMING_MODES,
    FailedCall,
    decode_diff,
    decode_error,
    decode_failures,
    decode_map,
    legacy_variables,
    restore_assets,
)
from slipway.engine.provider import (
    CallContext,
    CheckResult,
    CreateResult,
    DiffResult,
    InvokeResult,
    NotImplementedByProviderError,
    Provider,
    ReadResult,
)
from slipway.engine.values import PropertyMap
from slipway.engine.wire import Options, WireError, encode
from slipway.errors import OperationError

Answer = TypeVar("Answer")

QUICK_TIMEOUT_SECONDS = 600.0
"""For calls that change nothing."""
SLOW_TIMEOUT_SECONDS = 24 * 3600.0
"""For calls that change something, where the resource sets no timeout: longer than any resource takes to be ready."""
GRACE_SECONDS = 60.0
"""The provider counts a resource's own timeout itself; this is what it may take to say so."""


def resolve_provider(
    package: str,
    version: str = "",
    *,
    environ: Mapping[str, str] | None = None,
    local_paths: Mapping[str, Path] | None = None,
    project_directory: Path | None = None,
) -> Provider:
    """A provider plugin, started and connected. The caller closes it.

    Looked for in this order: PULUMI_DEBUG_PROVIDERS, the project's `plugins.providers` (`local_paths`), PATH, the plugin folder.
    Raises UsageError that names the package when there is none, MachineError when it does not start.
    """
    environ = os.environ if environ is None else environ
    port = debug_port(package, environ)
    if port is not None:
        return PluginProvider(package, version, port=port)
    command = find_provider(package, version, environ, local_paths or {})
    directory = project_directory or Path.cwd()
    return PluginProvider(
        package,
        version,
        start=lambda address, on_output: PluginProcess(
            command,
            name=f"pulumi-resource-{package}",
            arguments=[address],
            environ={**environ, "PULUMI_ROOT_DIRECTORY": str(directory)},
            on_output=on_output,
        ),
        directory=command.directory,
    )


class PluginProvider(Provider):
    """One connection to one plugin."""

    def __init__(
        self,
        package: str,
        version: str,
        *,
        port: int = 0,
        start: Callable[[str, Callable[[str, str], None]], PluginProcess] | None = None,
        directory: Path | None = None,
    ) -> None:
        """`port`: a plugin that runs already; else `start(engine_address, on_output)` starts one, in `directory`."""
        self.name = package
        self.version = version
        self.supports_preview = True
        self.accepts_secrets = False
        self._accepts_resources = False
        self._engine = EngineServer(self._say)
        self._process: PluginProcess | None = None
        self._channel: grpc.Channel | None = None
        self._handshaken = False
        try:
            if start is not None:
                self._process = start(self._engine.address, lambda severity, line: self._say("", severity, line))
                port = self._process.port
            self._channel = connect(self.name, port, attached=start is None)
            self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
            if start is None:
                self._attach()
            self._handshake(directory if start is not None else None)
        except BaseException:
            self.close()
            raise

    # --- the engine's interface ---------------------------------------------------------------------------------------

    def check_config(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """CheckConfig; a provider without it accepts everything."""
        options = Options(keep_unknowns=ctx.preview)
        request = provider_pb2.CheckRequest(
            urn=ctx.urn, name=ctx.name, type=ctx.type, olds=encode(olds, options), news=encode(news, options)
        )
        try:
            response = self._call(self._stub.CheckConfig, request, ctx)
        except NotImplementedByProviderError:
            return CheckResult(inputs=news)
        return self._check_result(response, ctx)

    def diff_config(
        self, ctx: CallContext, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """DiffConfig; a provider without it says nothing."""
        options = Options(keep_unknowns=ctx.preview)
        request = provider_pb2.DiffRequest(
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            old_inputs=encode(old_inputs, options),
            olds=encode(old_outputs, options),
            news=encode(news, options),
            ignoreChanges=ctx.ignore_changes,
        )
        try:
            return decode_diff(self._call(self._stub.DiffConfig, request, ctx))
        except NotImplementedByProviderError:
            return DiffResult()

    def configure(self, ctx: CallContext, inputs: PropertyMap) -> None:
        """Configure, in the new form (`args`) and in the old one (`variables`)."""
        request = provider_pb2.ConfigureRequest(
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            args=encode(inputs, Options(keep_secrets=True, keep_resources=True)),
            variables=legacy_variables(self.name, inputs),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
        )
        response = self._call(self._stub.Configure, request, ctx)
        if not self._handshaken:
            self.accepts_secrets = response.acceptSecrets
            self._accepts_resources = response.acceptResources
            self.supports_preview = response.supportsPreview

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Check."""
        request = provider_pb2.CheckRequest(
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            olds=self._encode_olds(olds, unknowns=ctx.preview, elide_assets=False),
            news=self._encode(news, ctx),
            randomSeed=ctx.random_seed,
        )
        if ctx.autonaming is not None:
            options = provider_pb2.CheckRequest.AutonamingOptions(
                proposed_name=ctx.autonaming.get("proposed_name", ""),
                mode=cast(Any, AUTONAMING_MODES[ctx.autonaming.get("mode", "propose")]),
            )
            request.autonaming.CopyFrom(options)
        return self._check_result(self._call(self._stub.Check, request, ctx), ctx)

    def diff(
        self,
        ctx: CallContext,
        id: str,  # noqa: A002
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        news: PropertyMap,
    ) -> DiffResult:
        """Diff."""
        request = provider_pb2.DiffRequest(
            id=id,
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            old_inputs=self._encode_olds(old_inputs, unknowns=ctx.preview),
            olds=self._encode_olds(old_outputs, unknowns=ctx.preview),
            # Elided like the old ones: assets are compared by their hashes, so none may show its content.
            news=self._encode(news, ctx, elide_assets=True),
            ignoreChanges=ctx.ignore_changes,
        )
        return decode_diff(self._call(self._stub.Diff, request, ctx))

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Create."""
        request = provider_pb2.CreateRequest(
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            properties=self._encode(inputs, ctx),
            timeout=ctx.timeout_seconds,
            preview=ctx.preview,
        )
        response = self._call(self._stub.Create, request, ctx, changes_resource=not ctx.preview)
        return CreateResult(id=response.id, outputs=self._decode(response, "properties", ctx))

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:  # noqa: A002
        """Read. Assets that the provider echoes by their hash get their content back."""
        request = provider_pb2.ReadRequest(
            id=id,
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            properties=self._encode_olds(outputs, unknowns=False),
            inputs=self._encode_olds(inputs, unknowns=False),
            timeout=ctx.timeout_seconds,
        )
        response = self._call(self._stub.Read, request, ctx)
        live_inputs = self._decode(response, "inputs", ctx) if response.HasField("inputs") else None
        return ReadResult(
            id=response.id,
            outputs=restore_assets(inputs, self._decode(response, "properties", ctx)),
            inputs=None if live_inputs is None else restore_assets(inputs, live_inputs),
        )

    def update(
        self,
        ctx: CallContext,
        id: str,  # noqa: A002
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        news: PropertyMap,
    ) -> PropertyMap:
        """Update."""
        request = provider_pb2.UpdateRequest(
            id=id,
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            old_inputs=self._encode_olds(old_inputs, unknowns=False),
            olds=self._encode_olds(old_outputs, unknowns=False),
            news=self._encode(news, ctx),
            timeout=ctx.timeout_seconds,
            ignoreChanges=ctx.ignore_changes,
            preview=ctx.preview,
        )
        response = self._call(self._stub.Update, request, ctx, changes_resource=not ctx.preview)
        return self._decode(response, "properties", ctx)

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:  # noqa: A002
        """Delete."""
        request = provider_pb2.DeleteRequest(
            id=id,
            urn=ctx.urn,
            name=ctx.name,
            type=ctx.type,
            properties=self._encode_olds(outputs, unknowns=False),
            old_inputs=self._encode_olds(inputs, unknowns=False),
            timeout=ctx.timeout_seconds,
        )
        self._call(self._stub.Delete, request, ctx, changes_resource=True)

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        """Invoke."""
        ctx = CallContext(urn="", type="", name=token, preview=preview)
        request = provider_pb2.InvokeRequest(tok=token, args=self._encode(args, ctx), preview=preview)
        response = self._call(self._stub.Invoke, request, ctx)
        return InvokeResult(outputs=self._decode(response, "return", ctx), failures=decode_failures(response.failures))

    def cancel(self) -> None:
        """Cancel; a provider without it goes on until its calls end."""
        ctx = CallContext(urn="", type="", name="cancel")
        try:
            self._call(self._stub.Cancel, empty_pb2.Empty(), ctx)
        except NotImplementedByProviderError:
            return

    def close(self) -> None:
        """Close the connection and end the process, if this started it."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.stop()
        self._engine.stop()

    # --- the connection -----------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        ctx = CallContext(urn="", type="", name="attach")
        try:
            self._call(self._stub.Attach, plugin_pb2.PluginAttach(address=self._engine.address), ctx)
        except NotImplementedByProviderError:
            return

    def _handshake(self, directory: Path | None) -> None:
        request = provider_pb2.ProviderHandshakeRequest(
            engine_address=self._engine.address,
            configure_with_urn=True,
            invoke_with_preview=True,
            accepts_byte_string=True,
        )
        if directory is not None:
            request.root_directory = request.program_directory = str(directory)
        try:
            response = self._call(self._stub.Handshake, request, CallContext(urn="", type="", name="handshake"))
        except NotImplementedByProviderError:
            return  # an older plugin tells the same in its answer to Configure
        self._handshaken = True
        self.accepts_secrets = response.accept_secrets
        self._accepts_resources = response.accept_resources

    def _call(
        self, method: Callable[..., Answer], request: Any, ctx: CallContext, *, changes_resource: bool = False
    ) -> Answer:
        if changes_resource:
            timeout = ctx.timeout_seconds + GRACE_SECONDS if ctx.timeout_seconds else SLOW_TIMEOUT_SECONDS
        else:
            timeout = max(QUICK_TIMEOUT_SECONDS, ctx.timeout_seconds + GRACE_SECONDS)
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise decode_error(cast(FailedCall, error), changes_resource=changes_resource) from error

    def _say(self, urn: str, severity: str, text: str) -> None:
        if self.on_message is not None:
            self.on_message(urn, severity, text)

    # --- values -------------------------------------------------------------------------------------------------------

    def _encode(self, properties: PropertyMap, ctx: CallContext, *, elide_assets: bool = False) -> Any:
        return encode(
            properties,
            Options(
                keep_unknowns=ctx.preview,
                reject_unknowns=not ctx.preview,
                keep_secrets=self.accepts_secrets,
                keep_resources=self._accepts_resources,
                elide_assets=elide_assets,
            ),
        )

    def _encode_olds(self, properties: PropertyMap, *, unknowns: bool, elide_assets: bool = True) -> Any:
        return encode(
            properties,
            Options(
                keep_unknowns=unknowns,
                keep_secrets=self.accepts_secrets,
                keep_resources=self._accepts_resources,
                elide_assets=elide_assets,
            ),
        )

    def _decode(self, message: Any, field: str, ctx: CallContext) -> PropertyMap:
        options = Options(
            keep_unknowns=ctx.preview, reject_unknowns=not ctx.preview, keep_secrets=True, keep_resources=True
        )
        try:
            return decode_map(message, field, options)
        except WireError as error:
            raise OperationError(
                f"the provider's answer cannot be used: {error}",
                where=ctx.urn or ctx.name,
                remedy="update the provider",
            ) from error

    def _check_result(self, response: provider_pb2.CheckResponse, ctx: CallContext) -> CheckResult:
        return CheckResult(inputs=self._decode(response, "inputs", ctx), failures=decode_failures(response.failures))
