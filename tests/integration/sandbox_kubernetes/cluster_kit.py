"""An existing cluster that is none: what the sandbox asks of one, as its API would answer, on loopback with TLS."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

LOCAL = "127.0.0.1"


def node(name: str, address: str = LOCAL, pod_range: str = "") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDR": pod_range} if pod_range else {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(node_name: str, address: str, port: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"nodeName": node_name, "containers": [{"name": "web", "ports": [{"containerPort": port}]}]},
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": "True"}]},
    }


@dataclass
class FakeCluster:
    """State of the cluster, free to change, and what was written to it."""

    uid: str = "11111111-2222"
    administrator: bool = True
    nodes: list[dict[str, Any]] = field(default_factory=lambda: [node("kind-control-plane")])
    pods: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pull_state: dict[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "RunContainerError"}})
    asked: list[list[tuple[str, str]]] = field(default_factory=list[list[tuple[str, str]]])
    """Headers of every request."""
    written: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Method and path with query."""
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def app(self) -> Starlette:
        methods = ["GET", "POST", "PATCH", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> JSONResponse:
        path = request.url.path
        self.asked.append(request.headers.items())
        if request.method == "POST" and path.endswith("/selfsubjectaccessreviews"):
            return JSONResponse({"status": {"allowed": self.administrator}}, 201)
        if request.method != "GET":
            self.written.append((request.method, f"{path}?{request.url.query}"))
            body = await request.body()
            self.bodies.append(json.loads(body) if body else {})
            return JSONResponse({"metadata": {"name": "made"}})
        answers: dict[str, dict[str, Any]] = {
            "/version": {"major": "1", "minor": "33+"},
            "/api/v1/namespaces/kube-system": {"metadata": {"uid": self.uid}},
            "/api/v1/nodes": {"items": self.nodes},
            "/api/v1/pods": {"items": self.pods},
            "/api/v1/namespaces/kube-system/pods/made": {"status": {"containerStatuses": [{"state": self.pull_state}]}},
        }
        return JSONResponse(answers[path]) if path in answers else JSONResponse({"kind": "Status"}, 404)
