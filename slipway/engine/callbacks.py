"""Calls back into the program: transforms of registrations and function calls, and resource hooks.

The program serves its callbacks over gRPC from its own event loop, on loopback. Calls are made on the threads that handle registrations,
never on the loop's own, which would wait for itself.
"""

from __future__ import annotations

# The SDK's protobuf modules are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import threading
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from pulumi.runtime.proto import alias_pb2, callback_pb2, callback_pb2_grpc, resource_pb2

from slipway.engine import urn as urns
from slipway.engine.deployment.context import Deployment
from slipway.engine.events import Step
from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.engine.wire import KEEP_ALL, encode
from slipway.errors import OperationError

HOOK_TIMEOUT_SECONDS = 3600
"""A hook may wait for something long, such as a database's backup; longer than this it has hung."""
TRANSFORM_TIMEOUT_SECONDS = 300
_MAX_MESSAGE_BYTES = 400 * 1024 * 1024  # as the SDK's own channels


@dataclass(frozen=True)
class _Hook:
    callback: callback_pb2.Callback
    on_dry_run: bool
    ignore_errors: bool


class Callbacks:
    """The program's callbacks, as registered. Thread-safe."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._lock = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}
        self._stack_transforms: list[callback_pb2.Callback] = []
        self._stack_invoke_transforms: list[callback_pb2.Callback] = []
        self._transforms: dict[str, tuple[callback_pb2.Callback, ...]] = {}
        """Each resource's own transforms by URN, which its descendants are given to as well."""
        self._parents: dict[str, str] = {}
        self._hooks: dict[str, _Hook] = {}

    # ------------------------------------------------------------ registration

    def add_stack_transform(self, callback: callback_pb2.Callback) -> None:
        """A transform of every resource registered from now on."""
        with self._lock:
            self._stack_transforms.append(callback)

    def add_stack_invoke_transform(self, callback: callback_pb2.Callback) -> None:
        """A transform of every function call from now on."""
        with self._lock:
            self._stack_invoke_transforms.append(callback)

    def add_hook(self, request: resource_pb2.RegisterResourceHookRequest) -> None:
        """A hook by its name."""
        with self._lock:
            if request.name in self._hooks:
                raise OperationError(
                    f"two resource hooks are named {request.name!r}", remedy="give each hook its own name"
                )
            self._hooks[request.name] = _Hook(request.callback, request.on_dry_run, request.ignore_errors)

    # ------------------------------------------------------------ transforms

    def transform(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceRequest:
        """The registration after its own transforms, its ancestors' (nearest first) and the stack's."""
        urn = self._deployment.urn_of(request.parent, request.type, request.name)
        with self._lock:
            self._transforms[urn] = tuple(request.transforms)
            self._parents[urn] = request.parent
            callbacks = list(request.transforms)
            ancestor = request.parent
            while ancestor:
                callbacks += self._transforms.get(ancestor, ())
                ancestor = self._parents.get(ancestor, "")
            callbacks += self._stack_transforms
        if not callbacks or urn == self._deployment.stack_urn:
            return request
        changed = resource_pb2.RegisterResourceRequest()
        changed.CopyFrom(request)
        for callback in callbacks:
            given = resource_pb2.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=changed.object,
                options=_options_of(changed),
            )
            answer = resource_pb2.TransformResponse.FromString(self._call(callback, given, TRANSFORM_TIMEOUT_SECONDS))
            if answer.HasField("properties"):
                changed.object.CopyFrom(answer.properties)
            if answer.HasField("options"):
                _apply_options(changed, answer.options)
        _fit_dependencies(changed)
        return changed

    def transform_invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeRequest:
        """The function call after the stack's transforms."""
        with self._lock:
            callbacks = list(self._stack_invoke_transforms)
        if not callbacks:
            return request
        changed = resource_pb2.ResourceInvokeRequest()
        changed.CopyFrom(request)
        for callback in callbacks:
            options = resource_pb2.TransformInvokeOptions(
                provider=changed.provider, version=changed.version, plugin_download_url=changed.pluginDownloadURL
            )
            given = resource_pb2.TransformInvokeRequest(token=request.tok, args=changed.args, options=options)
            answer = resource_pb2.TransformInvokeResponse.FromString(
                self._call(callback, given, TRANSFORM_TIMEOUT_SECONDS)
            )
            if answer.HasField("args"):
                changed.args.CopyFrom(answer.args)
            if answer.HasField("options"):
                changed.provider = answer.options.provider
                changed.version = answer.options.version
                changed.pluginDownloadURL = answer.options.plugin_download_url
        return changed

    # ------------------------------------------------------------ hooks

    def run(self, point: str, step: Step) -> None:
        """Run the hooks bound to the point, in order; raises ProviderError when one fails."""
        for name in step.state.resource_hooks.get(point, ()):
            with self._lock:
                hook = self._hooks.get(name)
            if hook is None:
                raise ProviderError(f"the {point} hook {name!r} is not registered by the program")
            if self._deployment.preview and not hook.on_dry_run:
                continue
            self._run_hook(point, name, hook, step)

    def _run_hook(self, point: str, name: str, hook: _Hook, step: Step) -> None:
        old, new = step.old, step.new
        is_after = point.startswith("after_")
        request = resource_pb2.ResourceHookRequest(
            urn=step.urn,
            id=step.state.id,
            name=urns.name_of(step.urn),
            type=step.state.type,
            new_inputs=_struct(new.inputs if new else None),
            old_inputs=_struct(old.inputs if old else None),
            new_outputs=_struct(new.outputs if new and is_after else None),
            old_outputs=_struct(old.outputs if old else None),
        )
        try:
            answer = resource_pb2.ResourceHookResponse.FromString(
                self._call(hook.callback, request, HOOK_TIMEOUT_SECONDS)
            )
            error = answer.error
        except OperationError as failure:
            error = str(failure)
        if not error:
            return
        if not hook.ignore_errors:
            raise ProviderError(f"{point} hook {name!r} failed: {error}")
        self._deployment.diagnose(f"{point} hook {name!r} failed, which it says to ignore: {error}", urn=step.urn)

    # ------------------------------------------------------------ the wire

    def _call(self, callback: callback_pb2.Callback, message: Message, timeout_seconds: float) -> bytes:
        stub = callback_pb2_grpc.CallbacksStub(self._channel(callback.target))
        request = callback_pb2.CallbackInvokeRequest(token=callback.token, request=message.SerializeToString())
        try:
            return stub.Invoke(request, timeout=timeout_seconds).response
        except grpc.RpcError as error:
            details: Any = getattr(error, "details", None)
            raise OperationError(f"a callback of the program failed: {details() if details else error}") from error

    def _channel(self, target: str) -> grpc.Channel:
        with self._lock:
            channel = self._channels.get(target)
            if channel is None:
                options = [("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES), ("grpc.enable_http_proxy", 0)]
                channel = self._channels[target] = grpc.insecure_channel(target, options=options)
            return channel

    def close(self) -> None:
        """Close the channels to the program."""
        with self._lock:
            channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.close()


def _struct(properties: PropertyMap | None) -> Any:
    return None if properties is None else encode(properties, KEEP_ALL)


# Options that are the same field in both messages: name in the registration -> name in the transform's options.
_LISTS = {
    "dependencies": "depends_on",
    "ignoreChanges": "ignore_changes",
    "replaceOnChanges": "replace_on_changes",
    "additionalSecretOutputs": "additional_secret_outputs",
    "hideDiffs": "hide_diff",
    "replace_with": "replace_with",
}
_TEXTS = {
    "version": "version",
    "provider": "provider",
    "pluginDownloadURL": "plugin_download_url",
    "deletedWith": "deleted_with",
    "importId": "import",
}
_FLAGS = {"protect": "protect", "retainOnDelete": "retain_on_delete"}
_MESSAGES = {"customTimeouts": "custom_timeouts", "hooks": "hooks", "replacement_trigger": "replacement_trigger"}


def _options_of(request: resource_pb2.RegisterResourceRequest) -> resource_pb2.TransformResourceOptions:
    options = resource_pb2.TransformResourceOptions(
        aliases=[*(alias_pb2.Alias(urn=urn) for urn in request.aliasURNs), *request.aliases],
        providers=request.providers,
        plugin_checksums=request.pluginChecksums,
    )
    for mine, theirs in _LISTS.items():
        getattr(options, theirs).extend(getattr(request, mine))
    for mine, theirs in _TEXTS.items():
        setattr(options, theirs, getattr(request, mine))
    for mine, theirs in _FLAGS.items():
        if request.HasField(mine):  # pyright: ignore[reportArgumentType] - names from the table above
            setattr(options, theirs, getattr(request, mine))
    for mine, theirs in _MESSAGES.items():
        if request.HasField(mine):  # pyright: ignore[reportArgumentType] - names from the table above
            getattr(options, theirs).CopyFrom(getattr(request, mine))
    if request.deleteBeforeReplace or request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    return options


def _apply_options(
    request: resource_pb2.RegisterResourceRequest, options: resource_pb2.TransformResourceOptions
) -> None:
    for mine, theirs in _LISTS.items():
        request.ClearField(mine)  # pyright: ignore[reportArgumentType] - names from the table above
        getattr(request, mine).extend(getattr(options, theirs))
    for mine, theirs in _TEXTS.items():
        setattr(request, mine, getattr(options, theirs))
    for mine, theirs in {**_FLAGS, **_MESSAGES}.items():
        request.ClearField(mine)  # pyright: ignore[reportArgumentType] - names from the table above
        if not options.HasField(theirs):  # pyright: ignore[reportArgumentType] - names from the table above
            continue
        if mine in _FLAGS:
            setattr(request, mine, getattr(options, theirs))
        else:
            getattr(request, mine).CopyFrom(getattr(options, theirs))
    request.ClearField("aliasURNs")
    request.ClearField("aliases")
    request.aliases.extend(options.aliases)
    request.providers.clear()
    request.providers.update(options.providers)
    request.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    request.deleteBeforeReplace = options.delete_before_replace


def _fit_dependencies(request: resource_pb2.RegisterResourceRequest) -> None:
    """A property that a transform removed depends on nothing any more; one that it added depends on what the resource does."""
    if not request.propertyDependencies:
        return
    for key in set(request.propertyDependencies) - set(request.object.fields):
        del request.propertyDependencies[key]
