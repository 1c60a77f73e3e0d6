"""The few requests the sandbox itself makes to a cluster's API server."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

from slipway.errors import OperationError
from slipway.log import get_logger

REQUEST_TIMEOUT_SECONDS = 10
APPLY_TIMEOUT_SECONDS = 60
DRAIN_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.2

log = get_logger(__name__)


class ApiServer:
    """One API server, asked with the credentials of a kubeconfig that the sandbox wrote."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def client(self) -> httpx.Client:
        """A new HTTP client for paths relative to the API server."""
        server, trust = self._access
        return httpx.Client(base_url=server, verify=trust, timeout=REQUEST_TIMEOUT_SECONDS, trust_env=False)

    @cached_property
    def _access(self) -> tuple[str, ssl.SSLContext]:
        """The server's URL, and the context that trusts it and shows the client certificate."""
        document = json.loads(self._kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        # Python takes client certificates from files only.
        with tempfile.NamedTemporaryFile() as pair:
            for key in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[key]))
            pair.flush()
            context.load_cert_chain(pair.name)
        return cluster["server"], context

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

    def review_token(self, token: str, audience: str) -> dict[str, Any]:
        """The status of a TokenReview: whose token it is, if it is meant for the audience."""
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        with self.client() as client:
            answer = client.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review)
            _refuse(answer)
            return answer.json()["status"]

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


def apply_manifests(kubectl: Path, kubeconfig: Path, manifests: str) -> None:
    """Server-side apply of a YAML stream; raises OperationError with kubectl's words."""
    kinds = [f"{found['kind']}/{found['metadata']['name']}" for found in yaml.safe_load_all(manifests) if found]
    argv = [str(kubectl), f"--kubeconfig={kubeconfig}", "apply", "--server-side", "--force-conflicts"]
    argv += ["--field-manager=slipway-sandbox", "--validate=false", "-f", "-"]
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
