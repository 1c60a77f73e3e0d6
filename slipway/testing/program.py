"""Runs the program under test for the engine, and writes down what it registers.

The engine asks for the program over gRPC, as it asks a language host. Everything that a run needs (event loop, context variables,
channels) is made for that run and closed after it, so nothing of one test reaches the next.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import settings as pulumi_settings
from pulumi.runtime.proto import engine_pb2_grpc, language_pb2, plugin_pb2, resource_pb2_grpc
from pulumi.runtime.proto.language_pb2_grpc import LanguageRuntimeServicer
from pulumi.runtime.stack import run_in_stack

from slipway.testing.observing import Observation, ObservedMonitor, watched_applies

# ruff: noqa: N802, ARG002 - gRPC's own names
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

Program = Callable[[], Any]
_CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]


class ProgramHost(LanguageRuntimeServicer):
    """Pulumi's language runtime for one program that lives in this process."""

    def __init__(self, program: Program, classes: dict[str, type], secrets: Mapping[str, str], root: str) -> None:
        self._program = program
        self._secrets = secrets
        self._root = root
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = threading.Event()
        self._idle.set()
        self.observation = Observation(classes=classes)

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo()

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, request: Any, context: Any) -> Any:
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Cancel(self, request: Any, context: Any) -> Any:
        self.abandon()
        return empty_pb2.Empty()

    def abandon(self) -> None:
        """Stop a program that waits for an engine that has given up: the SDK would wait forever."""
        with self._lock:
            if self._loop is not None:
                self.observation.engine_failed = True
                self._loop.call_soon_threadsafe(_cancel_all, self._loop)
        self._idle.wait(timeout=10)

    def Run(self, request: Any, context: Any) -> Any:
        error = contextvars.Context().run(self._run, request)
        self.observation.error = error
        # The test raises the error itself, with its traceback: the engine only has to know that there is one.
        return language_pb2.RunResponse(error=f"{type(error).__name__}: {error}" if error else "")

    def _run(self, request: Any) -> BaseException | None:
        monitor = grpc.insecure_channel(request.monitor_address, options=_CHANNEL_OPTIONS)
        engine = grpc.insecure_channel(request.args[0], options=_CHANNEL_OPTIONS)
        with monitor, engine, watched_applies(self.observation):
            settings = pulumi_settings.Settings(
                project=request.project,
                stack=request.stack,
                monitor=ObservedMonitor(resource_pb2_grpc.ResourceMonitorStub(monitor), self.observation),
                engine=engine_pb2_grpc.EngineStub(engine),
                parallel=request.parallel,
                dry_run=request.dryRun,
                organization=request.organization or "organization",
                root_directory=self._root,
            )
            pulumi_settings.configure(settings)
            pulumi_config.set_all_config(
                {**request.config, **self._secrets}, [*request.configSecretKeys, *self._secrets]
            )
            try:
                with asyncio.Runner() as runner, self._running(runner.get_loop()):
                    runner.run(run_in_stack(self._observed))
                    if not request.dryRun:
                        runner.run(self.observation.find_undefined())
            except BaseException as error:  # noqa: BLE001 - raised again by the test that asked for the run
                return error
        return None

    @contextmanager
    def _running(self, loop: asyncio.AbstractEventLoop) -> Generator[None]:
        loop.set_exception_handler(_ignore)
        self._idle.clear()
        self._loop = loop
        try:
            yield
        finally:
            with self._lock:
                self._loop = None
            self._idle.set()

    def _observed(self) -> Any:
        pulumi.runtime.register_stack_transformation(self.observation.on_resource)
        return self._program()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


def _ignore(loop: Any, context: Any) -> None:
    """What a task raises is raised again by whoever awaits it; the loop need not print it."""
