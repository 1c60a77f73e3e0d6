"""What Kubernetes says of a release's pods: restarts, memory, images."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from slipway.contract.analysis import KubernetesEntry
from slipway.delivery.adapters.analysis.filling import words
from slipway.delivery.adapters.pod_trouble import containers
from slipway.delivery.model.analysis import Answer, Subject
from slipway.errors import OperationError

IMAGE_FAULTS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ErrImageInspect",
        "RegistryUnavailable",
    }
)
"""Why a container waits. Source: kubelet's pkg/kubelet/images/types.go."""


class PodStates:
    """Answers entries of type `kubernetes`."""

    def __init__(self, connect: Callable[[], Any], namespace: str, service: str) -> None:
        """`connect` makes the API client, with the first question."""
        self._connect = connect
        self._namespace = namespace
        self._service = service
        self._lock = threading.Lock()
        self._client: Any = None

    def answer(self, entry: KubernetesEntry, subject: Subject) -> Answer:
        """See `Provider.answer`. No pod at all is no data: nothing can be said of what does not run."""
        found = words(subject)
        labels = {
            "app.kubernetes.io/name": self._service,
            "slipway.dev/colour": found["colour"],
            "slipway.dev/release": found["release"],
        }
        try:
            pods: Any = kubernetes.CoreV1Api(self._api()).list_namespaced_pod(
                self._namespace,
                label_selector=",".join(f"{name}={value}" for name, value in labels.items()),
                _request_timeout=(entry.timeout_seconds, entry.timeout_seconds),
            )
        except ApiException as error:
            raise OperationError(f"the cluster does not list pods: {error.status} {error.reason}") from None
        except HTTPError as error:
            raise OperationError(f"the cluster does not answer: {type(error).__name__}") from None
        states = [state for pod in pods.items for state in containers(pod)]
        return Answer(value=sum(COUNTED[entry.count](state) for state in states)) if pods.items else Answer()

    def _api(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client


def _restarts(state: Any) -> int:
    return int(state.restart_count or 0)


def _out_of_memory(state: Any) -> int:
    """The last end, or the one now: Kubernetes keeps no earlier ones."""
    ends = (each.terminated for each in (state.state, state.last_state) if each and each.terminated)
    return int(any(end.reason == "OOMKilled" for end in ends))


def _image_faults(state: Any) -> int:
    waiting = state.state.waiting if state.state else None
    return int(waiting is not None and waiting.reason in IMAGE_FAULTS)


COUNTED: Mapping[str, Callable[[Any], int]] = {
    "restarts": _restarts,
    "out-of-memory": _out_of_memory,
    "image-pull-faults": _image_faults,
}
