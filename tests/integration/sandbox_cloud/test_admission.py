"""The admission webhook over TLS, as an API server asks it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from slipway.errors import OperationError
from slipway.sandbox.aws.eks import pod_routes
from slipway.sandbox.aws.server import AwsServer
from slipway.sandbox.kubernetes.pki import server_context

POD = {"metadata": {}, "spec": {"serviceAccountName": "orders", "containers": [{"name": "orders"}]}}


def test_webhook_answers_with_its_own_certificate_while_others_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SimpleNamespace(region_name="eu-west-1")
    monkeypatch.setattr(pod_routes, "find_cluster", lambda name: (backend, None) if name == "shop" else None)
    monkeypatch.setattr(
        pod_routes, "find_association", lambda *asked: asked[1:] == ("shop", "default", "orders") or None
    )
    context = server_context(tmp_path / "admission")

    def gates(cluster: str, group: str, namespace: str, labels: object) -> list[str]:
        if cluster == "away":
            raise OperationError("it does not answer")
        return [f"target-health.{group}/blue"] if (cluster, namespace, labels) == ("shop", "default", {}) else []

    server = AwsServer(pod_routes.admission_application(gates=gates), ["127.0.0.1"], 0, tls=context)
    server.start()
    trust = ssl.create_default_context(cafile=tmp_path / "admission/ca.crt")
    review = {"request": {"uid": "7", "namespace": "default", "object": POD}}
    try:
        with (
            socket.create_connection(("127.0.0.1", server.port)),
            httpx.Client(base_url=f"https://127.0.0.1:{server.port}", verify=trust, timeout=10) as client,
        ):
            answers = [client.post(f"/pod-identity/{name}", json=review) for name in ("shop", "other")]
            assert [set(each.json()["response"]) for each in answers] == [
                {"uid", "allowed", "patchType", "patch"},
                {"uid", "allowed"},
            ]
            asked = [client.post(f"/readiness-gates/elbv2.k8s.aws/{name}", json=review) for name in ("shop", "other")]
            assert ["patch" in each.json()["response"] for each in asked] == [True, False]
            assert client.post("/readiness-gates/elbv2.k8s.aws/away", json=review).status_code == 503
            assert client.post("/pod-identity/shop", content=b"[]").status_code == 400
            assert client.get("/pod-identity/shop").status_code == 400
    finally:
        server.stop()
