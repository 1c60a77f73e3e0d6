"""The engine's side of a plugin's connection: a small gRPC server that takes what plugins say."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from slipway.engine.plugins.messages import CHANNEL_OPTIONS

SEVERITIES = {
    engine_pb2.DEBUG: "debug",
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


class EngineServer(engine_pb2_grpc.EngineServicer):
    """Serves `pulumirpc.Engine` on loopback."""

    def __init__(self, on_message: Callable[[str, str, str], None]) -> None:
        """`on_message` takes (urn, severity, text), from other threads; `status` for what only holds for now."""
        self._on_message = on_message
        self._root_urn = ""
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4), options=list(CHANNEL_OPTIONS))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        """Stop at once."""
        self._server.stop(grace=None)

    def Log(self, request: engine_pb2.LogRequest, context: Any) -> empty_pb2.Empty:  # noqa: ARG002, N802 - gRPC's
        """Pass a message on."""
        severity = "status" if request.ephemeral else SEVERITIES.get(request.severity, "info")
        self._on_message(request.urn, severity, request.message)
        return empty_pb2.Empty()

    def GetRootResource(  # noqa: N802 - gRPC's
        self,
        request: engine_pb2.GetRootResourceRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> engine_pb2.GetRootResourceResponse:
        """What SetRootResource told."""
        return engine_pb2.GetRootResourceResponse(urn=self._root_urn)

    def SetRootResource(  # noqa: N802 - gRPC's
        self,
        request: engine_pb2.SetRootResourceRequest,
        context: Any,  # noqa: ARG002
    ) -> engine_pb2.SetRootResourceResponse:
        """Keep it."""
        self._root_urn = request.urn
        return engine_pb2.SetRootResourceResponse()
