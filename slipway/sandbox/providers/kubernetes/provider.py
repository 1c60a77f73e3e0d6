# ruff: noqa: A002, ARG002 - the interface names an argument `id`, and more than this provider needs
"""The Kubernetes provider: pulumi-kubernetes' types, names, states and waits, over the official Python client.

What it does not do, it refuses by name: Helm releases and charts, kustomizations, List kinds, rendering to files.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

from slipway.engine.provider import (
    CallContext,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffResult,
    InitializationError,
    InvokeResult,
    Provider,
    ProviderError,
    ReadResult,
    StatusUnknownError,
)
from slipway.engine.values import UNKNOWN, PropertyMap, contains_unknown, unwrap_secrets
from slipway.sandbox.providers.kubernetes import invokes
from slipway.sandbox.providers.kubernetes.awaiting import NotReadyError, StillThereError
from slipway.sandbox.providers.kubernetes.cluster import Change, Cluster
from slipway.sandbox.providers.kubernetes.failures import (
    ApiError,
    CancelledError,
    LostConnectionError,
    UnknownKindError,
    UnreachableError,
)
from slipway.sandbox.providers.kubernetes.inputs import complete_inputs
from slipway.sandbox.providers.kubernetes.kubeconfig import active_cluster
from slipway.sandbox.providers.kubernetes.normal_form import normalized, pruned
from slipway.sandbox.providers.kubernetes.objects import (
    FIELD_MANAGER_KEY,
    INITIAL_API_VERSION_KEY,
    INPUTS_KEY,
    LAST_APPLIED_ANNOTATION,
    PATCH_FIELD_MANAGER,
    KubernetesObject,
    annotation,
    checkpoint,
    field_manager_of,
    id_of,
    is_patch,
    kind_of,
    mark_secrets,
    metadata_of,
    name_of,
    namespace_of,
    parse_checkpoint,
    parse_id,
    secret_texts,
    to_object,
    to_properties,
)
from slipway.sandbox.providers.kubernetes.planning import plan_update
from slipway.sandbox.providers.kubernetes.settings import Settings, check_settings, read_settings

_FORGET_HINT = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the "
    'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)
# Chosen anew by the server each time, so a dry run's answer is not what the real run will say.
_SERVER_CHOICES = ("uid", "resourceVersion", "creationTimestamp")
_SERVER_SPEC_CHOICES = {"Service": ("clusterIP", "clusterIPs", "healthCheckNodePort")}


class KubernetesProvider(Provider):
    """One provider resource's worth of Kubernetes: one cluster, one user."""

    name = "kubernetes"
    version = "4.34.2"
    accepts_secrets = True
    supports_preview = True

    def __init__(self) -> None:
        self._cluster = Cluster(Settings())
        self.resumes_creates = self._cluster.settings.server_side_apply

    def check_config(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Refuse settings that are unknown, malformed or not supported."""
        return CheckResult(inputs=news, failures=check_settings(news))

    def diff_config(
        self, ctx: CallContext, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Another cluster replaces everything on it; another way into the same cluster replaces nothing."""
        olds, fresh = cast("PropertyMap", unwrap_secrets(old_inputs)), cast("PropertyMap", unwrap_secrets(news))
        keys = [key for key in {*olds, *fresh} if not key.startswith("__") and key != "version"]
        changed = tuple(sorted(key for key in keys if olds.get(key) != fresh.get(key)))
        if not changed:
            return DiffResult(changes=DiffChanges.NONE)
        old_identifier, identifier = olds.get("clusterIdentifier"), fresh.get("clusterIdentifier")
        pointing = [key for key in ("kubeconfig", "context", "cluster") if key in changed]
        replaces: tuple[str, ...] = ()
        if old_identifier and identifier:
            replaces = ("clusterIdentifier",) if old_identifier != identifier else ()
        elif any(fresh.get(key) is UNKNOWN for key in pointing):
            replaces = tuple(key for key in pointing if fresh.get(key) is UNKNOWN)
        else:
            before, after = _active(olds), _active(fresh)
            replaces = tuple(pointing) if before and after and before != after else ()
        return DiffResult(changes=DiffChanges.SOME, diffs=changed, replaces=replaces)

    def configure(self, ctx: CallContext, inputs: PropertyMap) -> None:
        """Take the settings. The cluster is not asked yet: an update may be what creates it."""
        self._cluster.close()
        self._cluster = Cluster(read_settings(inputs))
        # Server-side apply records who made an object; a plain POST does not, and a second one is refused.
        self.resumes_creates = self._cluster.settings.server_side_apply

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Fill in apiVersion, kind, name and namespace."""
        return complete_inputs(self._cluster, ctx, olds, news)

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Compare with the last known live object."""
        return plan_update(
            self._cluster,
            ctx,
            old_inputs=old_inputs,
            old_outputs=old_outputs,
            news=news,
            is_job_unready=lambda live: self._is_unready(ctx, live),
        )

    def _is_unready(self, ctx: CallContext, job: KubernetesObject) -> bool:
        try:
            resource = self._cluster.resource(kind_of(job, ctx.type))
            live = self._cluster.client.find(resource, namespace_of(job), name_of(job))
        except (ApiError, UnknownKindError, UnreachableError):
            return False
        conditions = cast("list[dict[str, Any]]", (live or {}).get("status", {}).get("conditions") or [])
        return live is not None and not any(
            item.get("type") == "Complete" and item.get("status") == "True" for item in conditions
        )

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Make the object by server-side apply and wait until it is ready."""
        if ctx.preview and contains_unknown(inputs):
            return CreateResult(id="", outputs=inputs)
        change = self._change(ctx, inputs, state=inputs)
        if ctx.preview and (change.is_patch or not self._cluster.settings.server_side_apply):
            return CreateResult(id="", outputs=inputs)
        with self._explained(
            ctx, inputs, f'resource "{ctx.urn}" was not successfully created by the Kubernetes API server'
        ):
            try:
                made = self._cluster.create(change)
            except (UnreachableError, UnknownKindError, ApiError) as error:
                if ctx.preview and self._cannot_preview(ctx, error):
                    return CreateResult(id="", outputs=inputs)
                raise
        if ctx.preview:
            return CreateResult(id="", outputs=self._outputs(change, _as_planned(made, change.obj), inputs))
        live = self._ready(ctx, change, made, inputs)
        if change.resource_kind.kind == "CustomResourceDefinition":
            self._cluster.client.discovery.forget()
        return CreateResult(id=id_of(live), outputs=self._outputs(change, live, inputs))

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        """Change the object in place and wait until it is ready."""
        if ctx.preview and contains_unknown(news):
            return news
        applied, _ = parse_checkpoint(old_outputs)
        change = self._change(ctx, news, state=old_outputs, applied=normalized(applied or to_object(old_inputs)))
        with self._explained(ctx, news, f'update of resource "{ctx.urn}" failed'):
            try:
                changed = self._cluster.update(change)
            except (UnreachableError, UnknownKindError, ApiError) as error:
                if ctx.preview and self._cannot_preview(ctx, error):
                    return news
                if isinstance(error, ApiError) and error.is_gone:
                    raise ProviderError(
                        f"{change.resource_kind.kind} {id} is not in the cluster any more; refresh the stack"
                    ) from error
                raise
        if ctx.preview:
            return self._outputs(change, _as_planned(changed, change.obj, of_update=True), news)
        live = self._ready(ctx, change, changed, news)
        if change.resource_kind.kind == "CustomResourceDefinition":
            self._cluster.client.discovery.forget()
        return self._outputs(change, live, news)

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        """The live object; with no inputs and outputs, an import of everything the server says."""
        namespace, name = parse_id(id)
        old_inputs, (_, old_live) = normalized(to_object(inputs)), parse_checkpoint(outputs)
        kind = kind_of(old_inputs if old_inputs.get("kind") else old_live, ctx.type)
        try:
            resource = self._cluster.resource(kind)
            live = self._cluster.client.find(resource, namespace or self._cluster.namespace, name)
        except UnknownKindError:
            return ReadResult(id="", outputs={})  # its CRD is gone, and took it along
        except UnreachableError as error:
            self._say(ctx, "warning", f"configured Kubernetes cluster is unreachable: {error}")
            if self._cluster.settings.delete_unreachable:
                return ReadResult(id="", outputs={})
            if self._cluster.settings.skip_update_unreachable:
                return ReadResult(id=id, outputs=outputs, inputs=inputs)
            raise ProviderError(
                f"failed to read resource state due to unreachable cluster ({error}). {_FORGET_HINT}"
            ) from error
        except ApiError as error:
            raise ProviderError(str(error)) from error
        if live is None:
            return ReadResult(id="", outputs={})
        live_inputs = pruned(live, old_inputs) if old_inputs.get("kind") else _importable(live)
        state = to_properties(live_inputs)
        mark_secrets(state, inputs)
        manager = str(unwrap_secrets(outputs.get(FIELD_MANAGER_KEY)) or field_manager_of(ctx.urn))
        version = str(unwrap_secrets(outputs.get(INITIAL_API_VERSION_KEY)) or kind.api_version)
        kept = checkpoint(live_inputs, live, inputs, initial_api_version=version, field_manager=manager)
        return ReadResult(id=id or id_of(live), outputs=kept, inputs=state)

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        """Delete the object, its dependents first, and wait until it is gone."""
        applied, live = parse_checkpoint(outputs)
        obj = applied if applied.get("kind") else to_object(inputs)
        namespace, name = parse_id(id)
        metadata = {**metadata_of(obj), "name": name, "namespace": namespace or namespace_of(live)}
        change = self._change(ctx, {**to_properties(obj), "metadata": metadata}, state=outputs)
        try:
            with self._explained(ctx, outputs, f"deletion of {change.resource_kind.kind} {id} failed"):
                self._cluster.delete(change, name)
                if change.resource_kind.kind == "CustomResourceDefinition":
                    self._cluster.client.discovery.forget()
        except UnreachableError as error:
            if self._cluster.settings.delete_unreachable:
                self._say(
                    ctx, "warning", f"configured Kubernetes cluster is unreachable: {error}; the resource is forgotten"
                )
                return
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {error}. {_FORGET_HINT}") from error

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        """Decode manifests; Helm and Kustomize are refused."""
        return invokes.invoke(token, args)

    def cancel(self) -> None:
        """End all waits; what is there stays."""
        self._cluster.cancel()

    def close(self) -> None:
        """Stop watches and close connections."""
        self._cluster.close()

    def _change(
        self, ctx: CallContext, inputs: PropertyMap, *, state: PropertyMap, applied: KubernetesObject | None = None
    ) -> Change:
        obj = normalized(to_object(inputs))
        kind = kind_of(obj, ctx.type)
        obj.setdefault("apiVersion", kind.api_version)
        obj.setdefault("kind", kind.kind)
        manager = annotation(obj, PATCH_FIELD_MANAGER) or str(
            unwrap_secrets(state.get(FIELD_MANAGER_KEY)) or field_manager_of(ctx.urn)
        )
        return Change(
            obj=obj,
            resource_kind=kind,
            manager=manager,
            timeout_seconds=ctx.timeout_seconds,
            is_patch=is_patch(ctx.type, kind.kind),
            preview=ctx.preview,
            applied=applied or {},
            ignored=ctx.ignore_changes,
            report=self._reporter(ctx),
        )

    def _reporter(self, ctx: CallContext) -> Callable[[str], None]:
        return lambda text: self._say(ctx, "status", text)

    def _ready(
        self, ctx: CallContext, change: Change, submitted: KubernetesObject, inputs: PropertyMap
    ) -> KubernetesObject:
        try:
            return self._cluster.wait_until_ready(change, submitted)
        except NotReadyError as error:
            raise InitializationError(
                id=id_of(error.live),
                outputs=self._outputs(change, error.live, inputs),
                reasons=[_scrubbed(reason, inputs) for reason in error.reasons],
            ) from error
        except (ApiError, UnknownKindError, UnreachableError) as error:
            reason = _scrubbed(
                f"{change.resource_kind.kind} {id_of(submitted)} is there, but cannot be watched: {error}", inputs
            )
            raise InitializationError(
                id=id_of(submitted), outputs=self._outputs(change, submitted, inputs), reasons=[reason]
            ) from error

    def _outputs(self, change: Change, live: KubernetesObject, inputs: PropertyMap) -> PropertyMap:
        return checkpoint(
            change.obj, live, inputs, initial_api_version=change.resource_kind.api_version, field_manager=change.manager
        )

    def _cannot_preview(self, ctx: CallContext, error: Exception) -> bool:
        """Whether a failed dry run only means that nothing can be said before the real run."""
        if isinstance(error, UnreachableError):
            self._say(
                ctx,
                "warning",
                f"configured Kubernetes cluster is unreachable, so the change is not checked by it: {error}",
            )
            return True
        if isinstance(error, UnknownKindError):
            return True  # its CRD is part of the same update, or will be missed by the real run
        return isinstance(error, ApiError) and (
            error.is_forbidden or error.namespace_missing or "dry run" in str(error)
        )

    @contextmanager
    def _explained(self, ctx: CallContext, inputs: PropertyMap, headline: str) -> Generator[None]:
        """Turn what goes wrong into the engine's errors, with no secret in their words."""
        try:
            yield
        except UnknownKindError as error:
            hint = "the Kubernetes API server reported that the apiVersion for this resource does not exist"
            raise ProviderError(
                f"{headline}: {hint}. Verify that any required CRDs have been created: {error}"
            ) from error
        except ApiError as error:
            raise ProviderError(_scrubbed(f"{headline}: {_with_conflict_help(error)}", inputs)) from error
        except LostConnectionError as error:
            raise StatusUnknownError(f"{headline}: {error}") from error
        except (CancelledError, StillThereError) as error:
            raise ProviderError(f"{headline}: {error}") from error
        except UnreachableError as error:
            if "deletion" in headline:
                raise
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {error}") from error

    def _say(self, ctx: CallContext, severity: str, text: str) -> None:
        if self.on_message is not None:
            self.on_message(ctx.urn, severity, text)
        else:
            import structlog  # noqa: PLC0415 - 0.1 s of imports that an engine does not need: it listens

            structlog.get_logger(__name__).info("kubernetes", urn=ctx.urn, severity=severity, message=text)


def _active(inputs: PropertyMap) -> str | None:
    return active_cluster(
        inputs.get("kubeconfig"), context=str(inputs.get("context") or ""), cluster=str(inputs.get("cluster") or "")
    )


def _scrubbed(text: str, inputs: PropertyMap) -> str:
    for secret in sorted(secret_texts(inputs), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text


def _with_conflict_help(error: ApiError) -> str:
    if not error.is_conflict or error.reason == "AlreadyExists":
        return str(error)
    return (
        f"{error}\nAnother field manager owns these fields. Leave them out of the program (or ignore_changes), or take them over with the "
        "annotation pulumi.com/patchForce: 'true' or the provider's enablePatchForce"
    )


def _as_planned(made: KubernetesObject, wanted: KubernetesObject, *, of_update: bool = False) -> KubernetesObject:
    """A dry run's answer without what only the real run can tell."""
    planned = {key: value for key, value in made.items() if key != "status"}
    choices = ("resourceVersion",) if of_update else _SERVER_CHOICES
    planned["metadata"] = {**metadata_of(made), **dict.fromkeys(choices, UNKNOWN)}
    spec = planned.get("spec")
    if not of_update and isinstance(spec, dict):
        fields = cast("dict[str, Any]", spec)
        given = cast("dict[str, Any]", wanted.get("spec") or {})
        drawn = [
            key for key in _SERVER_SPEC_CHOICES.get(str(made.get("kind")), ()) if key in fields and key not in given
        ]
        planned["spec"] = {**fields, **dict.fromkeys(drawn, UNKNOWN)}
    return planned


def _importable(live: KubernetesObject) -> KubernetesObject:
    """What an import takes for the inputs: everything but what only the server writes."""
    inputs = normalized({key: value for key, value in live.items() if key not in ("status", INPUTS_KEY)})
    annotations = metadata_of(inputs).get("annotations")
    if isinstance(annotations, dict):
        for key in ("deployment.kubernetes.io/revision", LAST_APPLIED_ANNOTATION):
            cast("dict[str, Any]", annotations).pop(key, None)
    return inputs
