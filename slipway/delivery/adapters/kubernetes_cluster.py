"""The service's cluster: how far a Deployment is, and migrations as Jobs."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
from urllib3.exceptions import HTTPError

from slipway.delivery.adapters.backfill_job import backfill_job_name, backfill_manifest, read_backfill
from slipway.delivery.adapters.eks import CALL_TIMEOUT_SECONDS
from slipway.delivery.adapters.migration_job import (
    DEADLINE_SECONDS,
    is_lock_timeout,
    job_manifest,
    job_name,
    users_job_manifest,
    users_job_name,
)
from slipway.delivery.adapters.node_room import find_room
from slipway.delivery.adapters.pod_trouble import is_in_crash_loop, why_not_ready, why_pending
from slipway.delivery.errors import NotBegunError
from slipway.delivery.model.backfill import Backfill
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.release import Login, MigrationPhase, Revision
from slipway.delivery.model.size import Room, Size
from slipway.delivery.model.target import DatabaseLogin, Replicas
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Pods
from slipway.errors import OperationError, SlipwayError
from slipway.scrubbing import scrub

LOCK_ATTEMPTS = 8
"""With pauses that grow from 0.5 to 30 s: about a minute and a half of a hot table."""
POLL_SECONDS = 0.3
FIELD_MANAGER = "slipway"
"""The Pulumi program declares the same field, and takes it back by force: both follow the ledger."""
BACKFILL_LINES = 50
"""Of each pod's log: how far it is stands in the last ones."""
LOG_SECONDS = 5
"""Between looks at the log of a running Job."""


class LockTimeoutError(OperationError):
    """The migration gave up waiting for a lock; worth another try."""


class KubernetesCluster:
    """Implements `ports.Cluster` for one service and namespace."""

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        namespace: str,
        service: str,
        deployments: Mapping[Colour, str],
        secret_name: str | None,
        login: DatabaseLogin | None = None,
        replicas: Replicas | None = None,
        maximum_nodes: int | None = None,
    ) -> None:
        """`connect` makes the API client; it is called with the first use, so that `status` works without a cluster."""
        self._connect = connect
        self._namespace = namespace
        self._service = service
        self._deployments = deployments
        self._secret_name = secret_name
        self._login = login
        self._replicas = replicas
        self._maximum_nodes = maximum_nodes
        self._client: Any = None

    def pods(self, colour: Colour) -> Pods | None:
        """See `Cluster.pods`."""
        with self._errors(f"read the Deployment {self._deployments[colour]}"):
            found = self._deployment(colour)
            if found is None:
                return None
            pods = self._pods_of(found)
        addresses = frozenset(
            pod.status.pod_ip for pod in pods if pod.metadata.deletion_timestamp is None and _is_ready(pod)
        )
        status, wanted = found.status, _replicas_of(found)
        current = (status.observed_generation or 0) >= found.metadata.generation
        counts = {status.replicas or 0, status.updated_replicas or 0, status.available_replicas or 0}
        labels = found.spec.template.metadata.labels or {}
        ready, release = current and counts == {wanted}, labels.get("slipway.dev/release", "")
        mixed = not current or (status.updated_replicas or 0) < (status.replicas or 0)
        newest = [pod for pod in pods if (pod.metadata.labels or {}).get("slipway.dev/release", "") == release]
        # What is told is the first one's trouble: one that is hopeless says the most.
        unready = sorted((pod for pod in newest if not _is_ready(pod)), key=is_in_crash_loop, reverse=True)
        troubles = [text for pod in unready if (text := why_not_ready(pod))]
        trouble = f"{len(troubles)} of {len(newest)} pods not ready: {troubles[0]}" if troubles else ""
        return Pods(
            wanted=wanted,
            ready=ready,
            addresses=addresses,
            release=release,
            mixed=mixed,
            trouble=trouble,
            crash_loop=bool(unready) and is_in_crash_loop(unready[0]),
        )

    def size(self, colour: Colour) -> Size | None:
        """See `Cluster.size`."""
        name = self._deployments[colour]
        with self._errors(f"read the autoscaler {name}"):
            if self._replicas is None or not (deployment := self._deployment(colour)):
                return None
            if not (scaler := self._autoscaler(name)):
                return None
            ready, wanted = deployment.status.ready_replicas or 0, _replicas_of(deployment)
            pending = [why_pending(pod) for pod in self._pods_of(deployment)] if ready < wanted else []
        texts = [text for text in pending if text is not None]
        return Size(
            ready=ready,
            wanted=wanted,
            minimum=scaler.spec.min_replicas or 1,
            declared=self._replicas.minimum,
            maximum=scaler.spec.max_replicas,
            waiting=f"{len(texts)} pods are pending: {texts[0]}" if texts else "",
        )

    def keep(self, colour: Colour, pods: int) -> None:
        """See `Cluster.keep`.

        The Deployment gets the number as well, because an autoscaler looks four times a minute; alone, it would be taken back.
        """
        name = self._deployments[colour]
        with self._errors(f"change the autoscaler {name}"):
            kubernetes.AutoscalingV2Api(self._api()).patch_namespaced_horizontal_pod_autoscaler(
                name,
                self._namespace,
                {"spec": {"minReplicas": pods}},
                field_manager=FIELD_MANAGER,
                _request_timeout=CALL_TIMEOUT_SECONDS,
            )
            deployment = self._deployment(colour)
            if deployment and _replicas_of(deployment) < pods:
                kubernetes.AppsV1Api(self._api()).patch_namespaced_deployment_scale(
                    name,
                    self._namespace,
                    {"spec": {"replicas": pods}},
                    field_manager=FIELD_MANAGER,
                    _request_timeout=CALL_TIMEOUT_SECONDS,
                )

    def room(self, colour: Colour) -> Room | None:
        """See `Cluster.room`."""
        with self._errors("read the nodes"):
            deployment = self._deployment(colour)
            if deployment is None:
                return None
            core = kubernetes.CoreV1Api(self._api())
            nodes: Any = core.list_node(_request_timeout=CALL_TIMEOUT_SECONDS)
            pods: Any = core.list_pod_for_all_namespaces(
                field_selector="status.phase!=Succeeded,status.phase!=Failed", _request_timeout=CALL_TIMEOUT_SECONDS
            )
        own = [pod for pod in pods.items if pod.metadata.namespace == self._namespace]
        return find_room(deployment.spec.template, nodes.items, pods.items, own, self._maximum_nodes)

    def _deployment(self, colour: Colour) -> Any:
        """None: there is none."""
        return _unless_missing(
            lambda: kubernetes.AppsV1Api(self._api()).read_namespaced_deployment(
                self._deployments[colour], self._namespace, _request_timeout=CALL_TIMEOUT_SECONDS
            )
        )

    def _autoscaler(self, name: str) -> Any:
        return _unless_missing(
            lambda: kubernetes.AutoscalingV2Api(self._api()).read_namespaced_horizontal_pod_autoscaler(
                name, self._namespace, _request_timeout=CALL_TIMEOUT_SECONDS
            )
        )

    def _pods_of(self, deployment: Any) -> Sequence[Any]:
        labels = deployment.spec.selector.match_labels or {}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found: Any = kubernetes.CoreV1Api(self._api()).list_namespaced_pod(
            self._namespace, label_selector=selector, _request_timeout=CALL_TIMEOUT_SECONDS
        )
        return found.items

    def make_users(self, release: ColourRelease, tell: Callable[[str], None]) -> None:
        """See `Cluster.make_users`."""
        if self._login is None or release.login is not Login.TOKENS:
            return
        name = users_job_name(self._service, release)
        self._run_job(name, users_job_manifest(name, self._service, self._login, release), tell)

    def migrate(self, release: ColourRelease, revisions: Sequence[Revision], tell: Callable[[str], None]) -> None:
        """See `Cluster.migrate`."""
        try:
            access = self._access(release)
            self.make_users(release, tell)
        except SlipwayError as error:
            raise NotBegunError(error.what, where=error.where, remedy=error.remedy) from error
        name = job_name(self._service, release, revisions)
        manifest = job_manifest(name, self._service, access, release, revisions)
        retrying = Retrying(
            retry=retry_if_exception_type(LockTimeoutError),
            stop=stop_after_attempt(LOCK_ATTEMPTS),
            wait=wait_exponential_jitter(initial=0.5, max=30),
            before_sleep=lambda state: tell(
                f"no lock: trying again after {state.attempt_number} of {LOCK_ATTEMPTS} tries"
            ),
            reraise=True,
        )
        retrying(self._run_job, name, manifest, tell)

    def backfill(self, revision: str, run: str) -> Backfill | None:
        """See `Cluster.backfill`."""
        name = backfill_job_name(self._service, revision, run)
        with self._errors(f"look at the backfill Job {name}"):
            job = self._read_job(name)
            if job is None:
                return None
            lines = [scrub(line) for line in self._logs(name, last=BACKFILL_LINES)]
        return read_backfill(name, revision, lines, succeeded=bool(job.status.succeeded), failure=_failure(job))

    def start_backfill(self, release: ColourRelease, revision: str, run: str) -> None:
        """See `Cluster.start_backfill`."""
        name = backfill_job_name(self._service, revision, run)
        noted = [Revision(id=revision, phase=MigrationPhase.BACKFILL)]
        manifest = job_manifest(name, self._service, self._access(release), release, noted)
        with self._errors(f"start the backfill Job {name}"):
            self._create_or_adopt(name, backfill_manifest(manifest, revision, run), again=True)

    def _access(self, release: ColourRelease) -> str | DatabaseLogin:
        """How the release's Jobs log in to the database."""
        if self._login and release.login is Login.TOKENS:
            return self._login
        if self._secret_name:
            return self._secret_name
        raise OperationError("the stack names no database secret", where="delivery.databaseSecretName")

    def _run_job(self, name: str, manifest: Mapping[str, Any], tell: Callable[[str], None]) -> None:
        with self._errors(f"run the Job {name}"):
            self._create_or_adopt(name, manifest)
            failure, lines = self._wait_for_end(name, tell)
        if failure is None:
            return
        last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
        kind = LockTimeoutError if is_lock_timeout(lines) else OperationError
        raise kind(
            f"the Job {name} failed ({failure}): {last}",
            where=self._namespace,
            remedy=f"kubectl --namespace {self._namespace} logs job/{name}",
        )

    def _create_or_adopt(self, name: str, manifest: Mapping[str, Any], *, again: bool = False) -> None:
        """A Job that runs or has succeeded is the one we want; a failed one makes room for another try. `again`: a succeeded one, too."""
        batch = kubernetes.BatchV1Api(self._api())
        existing = self._read_job(name)
        if existing is not None and (_failure(existing) or (again and existing.status.succeeded)):
            batch.delete_namespaced_job(
                name, self._namespace, propagation_policy="Foreground", _request_timeout=CALL_TIMEOUT_SECONDS
            )
            self._wait_until_gone(name)
            existing = None
        if existing is None:
            try:
                job: Any = kubernetes.V1Job.from_dict(dict(manifest))
                batch.create_namespaced_job(self._namespace, job, _request_timeout=CALL_TIMEOUT_SECONDS)
            except ApiException as error:
                if error.status != 409:  # somebody else was faster, with the same Job
                    raise

    def _wait_for_end(self, name: str, tell: Callable[[str], None]) -> tuple[str | None, list[str]]:
        """Why the Job failed, or None once it has succeeded; and its log, which is told as it grows."""
        deadline = time.monotonic() + DEADLINE_SECONDS + 60
        lines: list[str] = []
        next_look = 0.0
        while True:
            ended, failure = self._ending(name)
            if not ended and time.monotonic() > deadline:
                ended, failure = True, f"no end within {DEADLINE_SECONDS + 60} s"
            if ended or time.monotonic() >= next_look:
                told, lines = len(lines), [scrub(line) for line in self._logs(name)]
                for line in lines[told:]:
                    tell(line)
                next_look = time.monotonic() + LOG_SECONDS
            if ended:
                return failure, lines
            time.sleep(POLL_SECONDS)

    def _ending(self, name: str) -> tuple[bool, str | None]:
        """Whether the Job has ended, and why it failed."""
        job = self._read_job(name)
        if job is None:
            return True, "somebody deleted it"
        failure = _failure(job)
        return bool(job.status.succeeded or failure), failure

    def _wait_until_gone(self, name: str) -> None:
        deadline = time.monotonic() + 60
        while self._read_job(name) is not None:
            if time.monotonic() > deadline:
                raise OperationError(f"the failed Job {name} does not go away", where=self._namespace)
            time.sleep(POLL_SECONDS)

    def _read_job(self, name: str) -> Any:
        return _unless_missing(
            lambda: kubernetes.BatchV1Api(self._api()).read_namespaced_job(
                name, self._namespace, _request_timeout=CALL_TIMEOUT_SECONDS
            )
        )

    def _logs(self, name: str, *, last: int | None = None) -> list[str]:
        """Of all its pods, the newest one's at the end. `last`: so many lines of each."""
        core = kubernetes.CoreV1Api(self._api())
        pods: Any = core.list_namespaced_pod(
            self._namespace, label_selector=f"job-name={name}", _request_timeout=CALL_TIMEOUT_SECONDS
        )
        lines: list[str] = []
        for pod in sorted(pods.items, key=lambda each: str(each.metadata.creation_timestamp or "")):
            # A pod that never started has no log; why it did not is the Job's condition.
            with suppress(ApiException):
                text: str | None = core.read_namespaced_pod_log(  # None: the pod has no node yet
                    pod.metadata.name, self._namespace, tail_lines=last, _request_timeout=CALL_TIMEOUT_SECONDS
                )
                lines += (text or "").splitlines()
        return lines

    def _api(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    @contextmanager
    def _errors(self, doing: str) -> Generator[None]:
        try:
            yield
        except ApiException as error:
            raise OperationError(f"cannot {doing}: {error.status} {error.reason}", where=self._namespace) from error
        except HTTPError as error:
            raise OperationError(
                f"cannot {doing}: the cluster does not answer: {error}", where=self._namespace
            ) from error


def _failure(job: Any) -> str | None:
    for condition in job.status.conditions or []:
        if condition.type == "Failed" and condition.status == "True":
            return f"{condition.reason}: {condition.message}"
    return None


def _unless_missing(read: Callable[[], Any]) -> Any:
    """What was read; None: it does not exist."""
    try:
        return read()
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def _replicas_of(deployment: Any) -> int:
    return deployment.spec.replicas if deployment.spec.replicas is not None else 1


def _is_ready(pod: Any) -> bool:
    conditions: Any = pod.status.conditions or []
    return bool(pod.status.pod_ip) and any(item.type == "Ready" and item.status == "True" for item in conditions)
