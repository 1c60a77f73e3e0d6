"""The few requests the sandbox itself makes to a cluster's API server."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import structlog
import yaml

from slipway.errors import OperationError
from slipway.sandbox.kubernetes.kubeconfig import Credentials, load_credentials

REQUEST_TIMEOUT_SECONDS = 10
APPLY_TIMEOUT_SECONDS = 60
DRAIN_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.2
FIELD_MANAGER = "slipway-sandbox"

log = structlog.get_logger(__name__)


class ApiServer:
    """One API server, spoken to with the credentials of a kubeconfig."""

    def __init__(self, kubeconfig: Path, context: str = "") -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._credentials: Credentials | None = None

    @property
    def credentials(self) -> Credentials:
        """What the kubeconfig says, read at first use."""
        if self._credentials is None:
            self._credentials = load_credentials(self._kubeconfig, self._context)
        return self._credentials

    def client(self) -> httpx.Client:
        """A new HTTP client for paths relative to the API server."""
        found = self.credentials
        return httpx.Client(
            base_url=found.server,
            verify=found.tls_context(),
            headers=found.headers(),
            timeout=REQUEST_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def is_ready(self) -> bool:
        """Whether it serves; False while it starts."""
        try:
            with self.client() as client:
                return client.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """One object or list; None when there is none."""
        with self.client() as client:
            answer = client.get(path)
            if answer.status_code == 404:
                return None
            _refuse(answer)
            return answer.json()

    def delete(self, path: str) -> None:
        """Delete one object; gone already is fine."""
        with self.client() as client:
            answer = client.delete(path)
            if answer.status_code != 404:
                _refuse(answer)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create one object; what the API server made of it."""
        with self.client() as client:
            answer = client.post(path, json=body)
            _refuse(answer)
            return answer.json()

    def apply(self, path: str, body: dict[str, Any]) -> None:
        """Server-side apply of one object."""
        with self.client() as client:
            headers = {"Content-Type": "application/apply-patch+yaml"}
            parameters = {"fieldManager": FIELD_MANAGER, "force": "true"}
            _refuse(client.patch(path, params=parameters, content=json.dumps(body), headers=headers))

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        """Apply a JSON merge patch to one object."""
        with self.client() as client:
            headers = {"Content-Type": "application/merge-patch+json"}
            _refuse(client.patch(path, content=json.dumps(patch), headers=headers))

    def wait_node_ready(self, name: str, timeout_seconds: float) -> None:
        """Wait for the node's condition Ready; raises OperationError with the condition's own message."""
        deadline = time.monotonic() + timeout_seconds
        reason = "it has not registered"
        while time.monotonic() < deadline:
            try:
                node = self.get(f"/api/v1/nodes/{name}")
            except (httpx.HTTPError, OperationError) as error:
                node, reason = None, str(error)
            if node is not None:
                conditions = node.get("status", {}).get("conditions", [])
                ready = next((found for found in conditions if found["type"] == "Ready"), None)
                if ready is not None and ready["status"] == "True":
                    return
                reason = ready.get("message", "") if ready else "it has no conditions yet"
            time.sleep(POLL_SECONDS)
        raise OperationError(f"node {name} was not Ready after {timeout_seconds:.0f} s: {reason}")


def apply_manifests(kubectl: Path, kubeconfig: Path, manifests: str, context: str = "") -> None:
    """Server-side apply of a YAML stream; raises OperationError with kubectl's words."""
    kinds = [f"{found['kind']}/{found['metadata']['name']}" for found in yaml.safe_load_all(manifests) if found]
    argv = [str(kubectl), f"--kubeconfig={kubeconfig}", "apply", "--server-side", "--force-conflicts"]
    argv += [f"--field-manager={FIELD_MANAGER}", "--validate=false", "-f", "-"]
    if context:
        argv.insert(2, f"--context={context}")
    try:
        done = subprocess.run(
            argv, input=manifests, capture_output=True, text=True, timeout=APPLY_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"applying {', '.join(kinds)} took over {APPLY_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        raise OperationError(f"applying {', '.join(kinds)} failed: {done.stderr.strip()}")


def drain(kubectl: Path, kubeconfig: Path, node: str) -> None:
    """Move a node's pods elsewhere as far as their disruption budgets allow within the time; what stays is said in the log."""
    argv = [str(kubectl), f"--kubeconfig={kubeconfig}", "drain", node, f"--timeout={DRAIN_TIMEOUT_SECONDS}s"]
    argv += ["--ignore-daemonsets", "--delete-emptydir-data", "--force"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DRAIN_TIMEOUT_SECONDS + 30, check=False)
    if done.returncode != 0:
        log.warning("node not drained", node=node, reason=done.stderr.strip()[-500:])


def _refuse(answer: httpx.Response) -> None:
    if answer.is_error:
        raise OperationError(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
        )
