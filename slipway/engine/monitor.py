"""The resource monitor and the engine as the Pulumi SDK sees them: plain objects with the gRPC stubs' methods.

Decode, call the deployment, encode. The SDK calls from its executor's threads, many at once; registrations of transforms and hooks come
on the loop's own thread and are answered at once. A failure is a `grpc.RpcError`: UNAVAILABLE once the operation has ended, which the SDK
turns into "shutting down", and UNKNOWN with a message for everything the program's author must see.
"""

from __future__ import annotations

# The SDK's protobuf modules are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import contextvars
import functools
import logging
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import callback_pb2, engine_pb2, provider_pb2, resource_pb2

from slipway.engine.callbacks import Callbacks
from slipway.engine.decoding import decode_goal, decode_inputs, decode_read
from slipway.engine.deployment.context import Deployment, Registered, TerminatedError
from slipway.engine.deployment.functions import Functions
from slipway.engine.deployment.goal import Goal, ReadGoal
from slipway.engine.deployment.outputs import ComponentOutputs
from slipway.engine.deployment.reading import Reader
from slipway.engine.deployment.registration import Registrar
from slipway.engine.events import Severity
from slipway.engine.provider import ProviderError
from slipway.engine.values import UNKNOWN, UNKNOWN_SENTINEL, PropertyMap
from slipway.engine.wire import KEEP_ALL, WireError, encode
from slipway.errors import SlipwayError

_log = logging.getLogger(__name__)
Method = TypeVar("Method", bound=Callable[..., Any])

FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
)
"""What is told to the SDK: exactly what is implemented, so that it refuses the rest loudly instead of leaving it out silently."""

_LEGACY_FEATURES = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "aliasSpecs": resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "replaceWith": resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    "transforms": resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    "invokeTransforms": resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    "resourceHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
}


class MonitorError(grpc.RpcError):
    """A failed call, in the shape that the SDK expects of gRPC."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode:
        """The status."""
        return self._code

    def details(self) -> str:
        """The message."""
        return self._details


def _rpc(method: Method) -> Method:
    """Run a monitor method outside the program's context, and turn its errors into the SDK's."""

    @functools.wraps(method)
    def call(self: Monitor, request: Any, *args: Any, **kwargs: Any) -> Any:
        del args, kwargs  # metadata and timeouts of a real stub
        try:
            return self.outside_program.copy().run(method, self, request)
        except TerminatedError:
            raise MonitorError(grpc.StatusCode.UNAVAILABLE, "the operation has ended") from None
        except (SlipwayError, ProviderError, WireError) as error:
            raise MonitorError(grpc.StatusCode.UNKNOWN, str(error)) from error
        except MonitorError:
            raise
        except Exception as error:
            _log.exception("internal error")
            self.deployment.fail(f"internal error of the engine in {method.__name__}: {type(error).__name__}: {error}")
            raise MonitorError(grpc.StatusCode.UNAVAILABLE, "the operation has ended") from error

    return cast("Method", call)


class Monitor:
    """`ResourceMonitorStub`, answered in-process."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        registrar: Registrar,
        reader: Reader,
        functions: Functions,
        callbacks: Callbacks,
        outputs: ComponentOutputs,
        on_program_end: Callable[[], None],
    ) -> None:
        """`on_program_end`: deletes what is left; called once, when the program and all its registrations succeeded."""
        self.outside_program = contextvars.copy_context()
        self.deployment = deployment
        self.registrar = registrar
        self.reader = reader
        self.functions = functions
        self.callbacks = callbacks
        self.outputs = outputs
        self._on_program_end = on_program_end
        self._shutdown = threading.Lock()

    @_rpc
    def GetDeploymentInfo(self, request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:  # noqa: N802, ARG002 - the stub's name
        """Which stack, and what this monitor can do."""
        identity = self.deployment.identity
        return resource_pb2.DeploymentInfo(
            project=identity.project,
            stack=identity.stack,
            organization="organization",
            dryRun=self.deployment.preview,
            supportedFeatures=FEATURES,
        )

    @_rpc
    def SupportsFeature(  # noqa: N802 - the stub's name
        self, request: resource_pb2.SupportsFeatureRequest
    ) -> resource_pb2.SupportsFeatureResponse:
        """The same for older SDKs, one by one."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=_LEGACY_FEATURES.get(request.id) in FEATURES)

    @_rpc
    def RegisterResource(  # noqa: N802 - the stub's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Register, do the step, answer when it is recorded."""
        _refuse("remote components (packages that construct components in another process)", request.remote)
        _refuse("parameterized packages", request.packageRef)
        _refuse("state migrations", request.state_migrations)
        _refuse("error hooks", request.HasField("hooks") and request.hooks.on_error)
        _refuse("environment mappings of providers", request.envVarMappings)
        identity = self.deployment.identity

        def make_goal() -> Goal:
            transformed = self.callbacks.transform(request)
            return decode_goal(transformed, root=identity.root, directory=identity.program_directory)

        answer = self.registrar.register(request.parent, request.type, request.name, make_goal)
        return resource_pb2.RegisterResourceResponse(
            urn=answer.urn,
            id=answer.id,
            object=_outputs(answer),
            result=resource_pb2.FAIL if answer.failed else resource_pb2.SUCCESS,
            unknown=answer.unknown,
        )

    @_rpc
    def RegisterResourceOutputs(  # noqa: N802 - the stub's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """A component's outputs, or the stack's exports."""
        self.outputs.register(request.urn, decode_inputs(request.outputs, self.deployment.identity.program_directory))
        return empty_pb2.Empty()

    @_rpc
    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:  # noqa: N802
        """Read a live resource that the stack does not own."""
        _refuse("parameterized packages", request.packageRef)
        identity = self.deployment.identity
        answer = self.reader.read(decode_read(request, root=identity.root, directory=identity.program_directory))
        return resource_pb2.ReadResourceResponse(
            urn=answer.urn,
            id=answer.id,
            properties=_outputs(answer),
            result=resource_pb2.FAIL if answer.failed else resource_pb2.SUCCESS,
        )

    @_rpc
    def ExistsResource(self, request: resource_pb2.ExistsResourceRequest) -> resource_pb2.ExistsResourceResponse:  # noqa: N802
        """Whether a live resource exists."""
        _refuse("parameterized packages", request.packageRef)
        goal = ReadGoal(
            type=request.type,
            name=request.id,
            id=UNKNOWN if request.id == UNKNOWN_SENTINEL else request.id,
            parent=request.parent,
            inputs=decode_inputs(request.properties, self.deployment.identity.program_directory),
            provider=request.provider,
            version=request.version,
            plugin_download_url=request.pluginDownloadURL,
        )
        found = self.functions.exists(goal)
        return resource_pb2.ExistsResourceResponse(exists=bool(found), unknown=found is None)

    @_rpc
    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        """Run a provider's function."""
        _refuse("parameterized packages", request.packageRef)
        request = self.callbacks.transform_invoke(request)
        answer = self.functions.invoke(
            request.tok,
            decode_inputs(request.args, self.deployment.identity.program_directory),
            provider=request.provider,
            version=request.version,
            plugin_download_url=request.pluginDownloadURL,
        )
        response = resource_pb2.ResourceInvokeResponse(
            failures=[provider_pb2.CheckFailure(property=one.property, reason=one.reason) for one in answer.failures]
        )
        getattr(response, "return").CopyFrom(encode(answer.outputs, KEEP_ALL))
        return response

    @_rpc
    def Call(self, request: resource_pb2.ResourceCallRequest) -> NoReturn:  # noqa: N802 - the stub's name
        """Methods of remote components."""
        raise _unsupported(f"the method {request.tok} (methods of packaged components)")

    @_rpc
    def RegisterPackage(self, request: resource_pb2.RegisterPackageRequest) -> resource_pb2.RegisterPackageResponse:  # noqa: N802
        """Parameterized packages."""
        raise _unsupported(f"the parameterized package {request.name}")

    @_rpc
    def RegisterStackTransform(self, request: callback_pb2.Callback) -> empty_pb2.Empty:  # noqa: N802 - the stub's name
        """A transform of every resource."""
        self.callbacks.add_stack_transform(request)
        return empty_pb2.Empty()

    @_rpc
    def RegisterStackInvokeTransform(self, request: callback_pb2.Callback) -> empty_pb2.Empty:  # noqa: N802
        """A transform of every function call."""
        self.callbacks.add_stack_invoke_transform(request)
        return empty_pb2.Empty()

    @_rpc
    def RegisterResourceHook(self, request: resource_pb2.RegisterResourceHookRequest) -> empty_pb2.Empty:  # noqa: N802
        """A hook that resources may bind."""
        self.callbacks.add_hook(request)
        return empty_pb2.Empty()

    @_rpc
    def RegisterErrorHook(self, request: resource_pb2.RegisterErrorHookRequest) -> empty_pb2.Empty:  # noqa: N802
        """Hooks after failures."""
        raise _unsupported(f"the error hook {request.name}")

    @_rpc
    def SignalAndWaitForShutdown(self, request: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802, ARG002 - the stub's name
        """The program is at its end; answered when all deletes are done, so that delete hooks can still call back."""
        if not self._shutdown.acquire(blocking=False):
            raise _unsupported("a second end of the program")
        self._on_program_end()
        return empty_pb2.Empty()


class EngineLog:
    """`EngineStub`: takes the program's log messages."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def Log(self, request: engine_pb2.LogRequest, *args: Any, **kwargs: Any) -> empty_pb2.Empty:  # noqa: N802, ARG002
        """A message of the program's, or of the SDK's."""
        # The SDK sends several debug messages for each resource, none of which helps the user.
        if request.severity != engine_pb2.DEBUG and not request.ephemeral:
            self._deployment.diagnose(request.message.rstrip("\n"), _severity(request.severity), urn=request.urn)
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, request: Any, *args: Any, **kwargs: Any) -> engine_pb2.RequirePulumiVersionResponse:  # noqa: N802, ARG002
        """The engine follows the SDK it runs with, so every range that the SDK knows is fulfilled."""
        return engine_pb2.RequirePulumiVersionResponse()


def _severity(number: int) -> Severity:
    names: dict[int, Severity] = {engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}
    return names.get(number, "info")


def _outputs(answer: Registered) -> struct_pb2.Struct | None:
    outputs: PropertyMap = answer.outputs
    return encode(outputs, KEEP_ALL) if outputs else None


def _refuse(what: str, used: object) -> None:
    if used:
        raise _unsupported(what)


def _unsupported(what: str) -> MonitorError:
    return MonitorError(
        grpc.StatusCode.UNIMPLEMENTED, f"this engine does not support {what}; use the Pulumi CLI for such programs"
    )
