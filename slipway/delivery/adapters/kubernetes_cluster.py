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

from slipway.delivery.adapters.eks import CALL_TIMEOUT_SECONDS
from slipway.delivery.adapters.migration_job import DEADLINE_SECONDS, is_lock_timeout, job_manifest, job_name
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.release import Revision
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Pods
from slipway.errors import OperationError
from slipway.scrubbing import scrub

LOCK_ATTEMPTS = 8
"""With pauses that grow from 0.5 to 30 s: about a minute and a half of a hot table."""
POLL_SECONDS = 0.3
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
    ) -> None:
        """`connect` makes the API client; it is called with the first use, so that `status` works without a cluster."""
        self._connect = connect
        self._namespace = namespace
        self._service = service
        self._deployments = deployments
        self._secret_name = secret_name
        self._client: Any = None

    def pods(self, colour: Colour) -> Pods | None:
        """See `Cluster.pods`."""
        with self._errors(f"read the Deployment {self._deployments[colour]}"):
            try:
                found: Any = kubernetes.AppsV1Api(self._api()).read_namespaced_deployment(
                    self._deployments[colour], self._namespace, _request_timeout=CALL_TIMEOUT_SECONDS
                )
            except ApiException as error:
                if error.status == 404:
                    return None
                raise
            addresses = self._ready_addresses(found.spec.selector.match_labels or {})
        status, wanted = found.status, found.spec.replicas if found.spec.replicas is not None else 1
        current = (status.observed_generation or 0) >= found.metadata.generation
        counts = {status.replicas or 0, status.updated_replicas or 0, status.available_replicas or 0}
        labels = found.spec.template.metadata.labels or {}
        ready, release = current and counts == {wanted}, labels.get("slipway.dev/release", "")
        return Pods(wanted=wanted, ready=ready, addresses=addresses, release=release)

    def _ready_addresses(self, labels: Mapping[str, str]) -> frozenset[str]:
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        core = kubernetes.CoreV1Api(self._api())
        found: Any = core.list_namespaced_pod(
            self._namespace, label_selector=selector, _request_timeout=CALL_TIMEOUT_SECONDS
        )
        return frozenset(
            pod.status.pod_ip for pod in found.items if pod.metadata.deletion_timestamp is None and _is_ready(pod)
        )

    def migrate(self, release: ColourRelease, revisions: Sequence[Revision], tell: Callable[[str], None]) -> None:
        """See `Cluster.migrate`."""
        if self._secret_name is None:
            raise OperationError("the stack names no database secret", where="delivery.databaseSecretName")
        name = job_name(self._service, release, revisions)
        manifest = job_manifest(name, self._service, self._secret_name, release, revisions)
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

    def _run_job(self, name: str, manifest: Mapping[str, Any], tell: Callable[[str], None]) -> None:
        with self._errors(f"run the migration Job {name}"):
            self._create_or_adopt(name, manifest)
            failure, lines = self._wait_for_end(name, tell)
        if failure is None:
            return
        last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
        kind = LockTimeoutError if is_lock_timeout(lines) else OperationError
        raise kind(
            f"the migration Job {name} failed ({failure}): {last}",
            where=self._namespace,
            remedy=f"kubectl --namespace {self._namespace} logs job/{name}",
        )

    def _create_or_adopt(self, name: str, manifest: Mapping[str, Any]) -> None:
        """A Job that runs or has succeeded is the one we want; a failed one makes room for another try."""
        batch = kubernetes.BatchV1Api(self._api())
        existing = self._read_job(name)
        if existing is not None and _failure(existing):
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
                raise OperationError(f"the failed migration Job {name} does not go away", where=self._namespace)
            time.sleep(POLL_SECONDS)

    def _read_job(self, name: str) -> Any:
        try:
            return kubernetes.BatchV1Api(self._api()).read_namespaced_job(
                name, self._namespace, _request_timeout=CALL_TIMEOUT_SECONDS
            )
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _logs(self, name: str) -> list[str]:
        core = kubernetes.CoreV1Api(self._api())
        pods: Any = core.list_namespaced_pod(
            self._namespace, label_selector=f"job-name={name}", _request_timeout=CALL_TIMEOUT_SECONDS
        )
        lines: list[str] = []
        for pod in pods.items:
            # A pod that never started has no log; why it did not is the Job's condition.
            with suppress(ApiException):
                text: str = core.read_namespaced_pod_log(
                    pod.metadata.name, self._namespace, _request_timeout=CALL_TIMEOUT_SECONDS
                )
                lines += text.splitlines()
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


def _is_ready(pod: Any) -> bool:
    conditions: Any = pod.status.conditions or []
    return bool(pod.status.pod_ip) and any(item.type == "Ready" and item.status == "True" for item in conditions)
