"""Whether nodes of an existing cluster can pull from the sandbox's registry, found out before a release waits for it in vain."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slipway.errors import OperationError
from slipway.sandbox.images.oci import CREATED, RegistryClient
from slipway.sandbox.images.rootfs import write_layer
from slipway.sandbox.kubernetes.api import ApiServer
from slipway.sandbox.kubernetes.existing.access import LABEL, OWNER
from slipway.sandbox.kubernetes.existing.examine import GUIDE
from slipway.sandbox.paths import HOST_ADDRESS, REGISTRY_PORT
from slipway.sandbox.registry import BACKEND_URL, REGISTRY_ADDRESS

REPOSITORY, TAG = "slipway/pull-check", "1"
PODS = "/api/v1/namespaces/kube-system/pods"
TIMEOUT_SECONDS = 120.0
"""A busy node takes its time to look at a new pod; a registry that is there answers in a second."""
POLL_SECONDS = 0.5
NOT_PULLED = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "RegistryUnavailable"})
PULLED = frozenset({"CreateContainerError", "CreateContainerConfigError", "RunContainerError", "CrashLoopBackOff"})


def push_image() -> None:
    """Have an image to pull: one small file, nothing to run."""
    client = RegistryClient(BACKEND_URL)
    try:
        if client.manifest(REPOSITORY, TAG) is not None:
            return
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            tree.mkdir()
            (tree / "slipway").write_text("pulled\n")
            layer = write_layer(tree, Path(scratch) / "layer.tar.gz", TAG)
            configuration = {
                "architecture": "amd64",
                "os": "linux",
                "created": CREATED,
                "config": {"Cmd": ["/none"]},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            }
            client.push(REPOSITORY, TAG, configuration, [layer])
    finally:
        client.close()


def check_pulls(api: ApiServer, nodes: Sequence[str], where: str) -> None:
    """Have each node pull the image once. Raises OperationError with the node's own words when it cannot."""
    for node in nodes:
        made = api.post(PODS, _pod(node))
        path = f"{PODS}/{made['metadata']['name']}"
        try:
            _wait_pulled(api, path, node, where)
        finally:
            api.delete(f"{path}?gracePeriodSeconds=0")


def pull_verdict(pod: dict[str, Any]) -> tuple[bool, str]:
    """Whether it is decided, and why it was not pulled (or nothing)."""
    found: dict[str, Any] = pod.get("status") or {}
    statuses: list[dict[str, Any]] = found.get("containerStatuses") or []
    for status in statuses:
        state: dict[str, Any] = status.get("state") or {}
        waiting: dict[str, str] = state.get("waiting") or {}
        if waiting.get("reason") in NOT_PULLED:
            return True, waiting.get("message") or str(waiting["reason"])
        # The image has nothing to run: that the container fails to start is the proof that it came.
        if "running" in state or "terminated" in state or waiting.get("reason") in PULLED:
            return True, ""
    return False, ""


def _wait_pulled(api: ApiServer, path: str, node: str, where: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        decided, why = pull_verdict(api.get(path) or {})
        if decided and not why:
            return
        if decided or time.monotonic() > deadline:
            raise OperationError(
                f"node {node} cannot pull images from the sandbox's registry:"
                f" {why or f'it did not try within {TIMEOUT_SECONDS:.0f} s'}",
                where=where,
                remedy=f"let its container runtime pull {REGISTRY_ADDRESS} from http://{HOST_ADDRESS}:{REGISTRY_PORT}; {GUIDE} shows how",
            )
        time.sleep(POLL_SECONDS)


def _pod(node: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "slipway-pull-check-", "labels": {LABEL: OWNER}},
        "spec": {
            # Past the scheduler, to a node that may be full or tainted: nothing runs.
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {"name": "pull", "image": f"{REGISTRY_ADDRESS}/{REPOSITORY}:{TAG}", "imagePullPolicy": "Always"}
            ],
        },
    }
