"""One configured cluster: the requests that make, change and remove an object, with the retries and waits that belong to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slipway.engine.provider import ProviderError
from slipway.sandbox.providers.kubernetes.awaiting import ReadyWait, Waiter
from slipway.sandbox.providers.kubernetes.client import JSON, MERGE, READ_TIMEOUT_SECONDS, ClusterClient
from slipway.sandbox.providers.kubernetes.discovery import ApiResource
from slipway.sandbox.providers.kubernetes.failures import ApiError, UnknownKindError, UnreachableError
from slipway.sandbox.providers.kubernetes.kubeconfig import KubeconfigError, Target
from slipway.sandbox.providers.kubernetes.objects import (
    DELETION_PROPAGATION,
    PATCH_FORCE,
    SKIP_AWAIT,
    TIMEOUT_SECONDS,
    WAIT_FOR,
    GroupVersionKind,
    KubernetesObject,
    annotation,
    metadata_of,
    name_of,
    namespace_of,
)
from slipway.sandbox.providers.kubernetes.ownership import (
    is_managed_by,
    leave_ignored,
    merge_patch,
    relinquish,
    take_over,
    would_take_over,
)
from slipway.sandbox.providers.kubernetes.readiness import rule_for
from slipway.sandbox.providers.kubernetes.scopes import known_scope
from slipway.sandbox.providers.kubernetes.settings import Settings

CLIENT_SIDE_MANAGER = "pulumi-kubernetes"
DELETE_TIMEOUT_SECONDS = 600
_RETRY_SECONDS = (
    0.5,
    1,
    2,
    4,
    8,
)  # for a namespace or a CRD that is made beside the object; as many tries as pulumi-kubernetes makes
_STALE_TRIES = 5
_UNREACHABLE_MEMORY_SECONDS = 30
_PROPAGATION = {"orphan": "Orphan", "background": "Background"}

# Kinds whose deletion skipAwait does not wait for. Source: pulumi-kubernetes, metadata/overrides.go, allowsSkipAwaitWithDelete.
_SKIPS_DELETION_WAIT = {"Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object to be made or changed."""

    obj: KubernetesObject
    resource_kind: GroupVersionKind
    manager: str
    timeout_seconds: float = 0
    """0: what the annotation says, else the kind's own."""
    is_patch: bool = False
    preview: bool = False
    applied: KubernetesObject = field(default_factory=dict[str, object])
    """What was applied last; updates only."""
    ignored: Sequence[str] = ()
    report: Callable[[str], None] = field(default=lambda _: None)


class Cluster:
    """The cluster that the provider's settings name; nothing is asked of it before it is needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._target: Target | None = None
        self._client: ClusterClient | None = None
        self._waiter: Waiter | None = None
        self._cancelled = False
        self._unreachable: tuple[float, UnreachableError] | None = None

    @property
    def namespace(self) -> str:
        """The namespace of objects that name none."""
        try:
            return self._resolved().namespace
        except KubeconfigError:
            return self.settings.namespace or "default"

    def _resolved(self) -> Target:
        with self._lock:
            if self._target is None:
                self._target = self.settings.target()
            return self._target

    @property
    def client(self) -> ClusterClient:
        """The connection; `UnreachableError` if the kubeconfig names none."""
        try:
            target = self._resolved()
        except KubeconfigError as error:
            raise UnreachableError(str(error)) from error
        with self._lock:
            if self._client is None:
                self._client = ClusterClient(
                    target, read_timeout_seconds=self.settings.read_timeout_seconds or READ_TIMEOUT_SECONDS
                )
            return self._client

    @property
    def waiter(self) -> Waiter:
        """The waits of this cluster."""
        client = self.client
        with self._lock:
            if self._waiter is None:
                self._waiter = Waiter(client)
                if self._cancelled:
                    self._waiter.cancel()
            return self._waiter

    def is_namespaced(self, kind: GroupVersionKind) -> bool:
        """Whether objects of the kind live in a namespace. Of a custom kind it is assumed while the cluster cannot say."""
        known = known_scope(kind)
        if known is not None:
            return known
        try:
            return self.resource(kind).namespaced
        except (UnknownKindError, UnreachableError, ApiError):
            return True

    def resource(self, kind: GroupVersionKind) -> ApiResource:
        """The kind as served. A cluster that could not be reached is not asked again for a while: a preview asks for every resource."""
        if self._unreachable is not None and time.monotonic() < self._unreachable[0]:
            raise self._unreachable[1]
        try:
            found = self.client.discovery.find(kind)
        except UnreachableError as error:
            self._unreachable = (time.monotonic() + _UNREACHABLE_MEMORY_SECONDS, error)
            raise
        self._unreachable = None
        return found

    def create(self, change: Change) -> KubernetesObject:
        """Make the object; retried while its kind or namespace is still being made. Answers what the server made of it."""
        for pause in (*_RETRY_SECONDS, None):
            try:
                return self._create_once(change)
            except (UnknownKindError, ApiError) as error:
                missing = isinstance(error, UnknownKindError) or error.is_gone
                if not missing or change.preview or pause is None:
                    raise
                change.report(f"creation failed, trying again: {error}")
                self.waiter.sleep(pause)
        raise AssertionError("unreachable")  # pragma: no cover

    def _create_once(self, change: Change) -> KubernetesObject:
        resource = self.resource(change.resource_kind)
        namespace = namespace_of(change.obj) if resource.namespaced else ""
        name = name_of(change.obj)
        if not self.settings.server_side_apply:
            return self.client.request(
                "POST",
                resource.path(namespace),
                query=_query(CLIENT_SIDE_MANAGER, preview=change.preview),
                body=change.obj,
            )
        live = self.client.find(resource, namespace, name)
        if live is not None and not self._may_adopt(change, live):
            raise ApiError(409, "AlreadyExists", _already_exists(resource, live), {"kind": resource.plural})
        return self.client.apply(
            resource,
            change.obj,
            namespace=namespace,
            name=name,
            manager=change.manager,
            force=self._forces(change, live) or change.preview,
            dry_run=change.preview,
        )

    def _may_adopt(self, change: Change, live: KubernetesObject) -> bool:
        """Whether an object that is there already is the one to make: made by the same resource in a run that was killed, or allowed."""
        return change.is_patch or self.settings.upsert or change.preview or is_managed_by(live, change.manager)

    def _forces(self, change: Change, live: KubernetesObject | None) -> bool:
        if annotation(change.obj, PATCH_FORCE) == "true" or self.settings.patch_force:
            return True
        return live is not None and not metadata_of(live).get("managedFields")

    def update(self, change: Change) -> KubernetesObject:
        """Change the object in place and answer what the server made of it."""
        for _ in range(_STALE_TRIES - 1):
            try:
                return self._update_once(change)
            except ApiError as error:
                # An autoscaler may take an ignored field between our reading who owns it and our writing.
                if not (error.is_stale or (error.is_conflict and change.ignored)):
                    raise
        return self._update_once(change)

    def _update_once(self, change: Change) -> KubernetesObject:
        resource = self.resource(change.resource_kind)
        namespace, name = (namespace_of(change.obj) if resource.namespaced else ""), name_of(change.obj)
        live = self.client.get(resource, namespace, name)
        path = resource.path(namespace, name)
        if resource.kind.kind == "CustomResourceDefinition":
            # Replaced as a whole: a merge of two schemas is neither of them. Its objects stay.
            body = {
                **change.obj,
                "metadata": {**metadata_of(change.obj), "resourceVersion": metadata_of(live).get("resourceVersion")},
            }
            return self.client.request(
                "PUT", path, query=_query(change.manager, preview=change.preview), body=body, content_type=JSON
            )
        if not self.settings.server_side_apply:
            query = _query(CLIENT_SIDE_MANAGER, preview=change.preview)
            return self.client.request(
                "PATCH", path, query=query, body=merge_patch(change.applied, change.obj), content_type=MERGE
            )
        if not change.is_patch and not change.preview:
            live = take_over(self.client, resource, live, change.manager)
        leave_ignored(change.obj, live, change.ignored, change.manager)
        preview_only = change.preview and (would_take_over(live) or not is_managed_by(live, change.manager))
        return self.client.apply(
            resource,
            change.obj,
            namespace=namespace,
            name=name,
            manager=change.manager,
            force=self._forces(change, live) or preview_only,
            dry_run=change.preview,
        )

    def wait_until_ready(self, change: Change, submitted: KubernetesObject) -> KubernetesObject:
        """The live object once it is ready; `NotReadyError` otherwise."""
        if change.is_patch or annotation(change.obj, SKIP_AWAIT) == "true":
            return submitted
        rule = rule_for(change.resource_kind, annotation(change.obj, WAIT_FOR))
        if rule is None:
            return submitted
        return self.waiter.until_ready(
            ReadyWait(
                resource=self.resource(change.resource_kind),
                submitted=submitted,
                rule=rule,
                timeout_seconds=timeout_of(change.obj, change.timeout_seconds) or rule.timeout_seconds,
                is_update=bool(change.applied),
                report=change.report,
            )
        )

    def delete(self, change: Change, name: str) -> None:
        """Remove the object and wait until it is gone; one that is gone already, or whose kind is, is no error."""
        try:
            resource = self.resource(change.resource_kind)
            namespace = namespace_of(change.obj) if resource.namespaced else ""
            live = self.client.find(resource, namespace, name)
        except UnknownKindError:
            return
        if live is None:
            return
        if change.is_patch:
            relinquish(self.client, resource, live, change.manager)
            return
        policy = _PROPAGATION.get(annotation(change.obj, DELETION_PROPAGATION).lower(), "Foreground")
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
        try:
            self.client.request("DELETE", resource.path(namespace, name), body=body)
        except ApiError as error:
            if not error.is_gone:
                raise
            return
        if annotation(change.obj, SKIP_AWAIT) == "true" and resource.kind.kind in _SKIPS_DELETION_WAIT:
            return
        timeout = timeout_of(change.obj, change.timeout_seconds) or DELETE_TIMEOUT_SECONDS
        self.waiter.until_gone(resource, live, timeout, change.report)

    def cancel(self) -> None:
        """End waits."""
        with self._lock:
            self._cancelled = True
            waiter = self._waiter
        if waiter is not None:
            waiter.cancel()

    def close(self) -> None:
        """Stop watches and close connections."""
        if self._waiter is not None:
            self._waiter.close()
        if self._client is not None:
            self._client.close()


def timeout_of(obj: KubernetesObject, custom_seconds: float) -> float:
    """The resource option's timeout, else the annotation's, else 0."""
    if custom_seconds:
        return custom_seconds
    text = annotation(obj, TIMEOUT_SECONDS)
    if not text:
        return 0
    if not text.isdigit():
        raise ProviderError(f"the annotation {TIMEOUT_SECONDS} wants a whole number of seconds, got {text!r}")
    return float(text)


def _query(manager: str, *, preview: bool) -> dict[str, str]:
    return {"fieldManager": manager, "fieldValidation": "Warn", **({"dryRun": "All"} if preview else {})}


def _already_exists(resource: ApiResource, live: KubernetesObject) -> str:
    return (
        f'{resource.plural} "{name_of(live)}" already exists\n\n'
        "The resource already exists in the cluster, and this resource did not make it. This can happen when:\n"
        "  - a Pulumi resource was renamed: give it an alias\n"
        "  - an object of somebody else is to be managed: import it, or use a Patch resource for single fields\n"
        "  - it is meant to be taken over: set upsertExistingObjects on the provider"
    )
