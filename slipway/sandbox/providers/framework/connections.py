"""Provider instances by connection.

Each of an engine's providers (default, explicit, of another region) opens a connection of its own and configures it, and the protocol's
calls do not say which one they mean.
"""

# grpc ships no types.
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import cast

import grpc
import psutil
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from slipway.providers.provider import Caller, Provider, ProviderError
from slipway.providers.server import CHANNEL_OPTIONS, Peer
from slipway.sandbox.peers import Connection
from slipway.sandbox.providers.framework.caller import caller_of, established, find_process, open_files

LOG_TIMEOUT_SECONDS = 5.0
WATCH_SECONDS = 1.0
"""How often to look whether the commands that connected still run."""

MakeProvider = Callable[[Caller], Provider]
_log = logging.getLogger(__name__)


class Instance:
    """One connection's provider, and the way back to its engine."""

    def __init__(
        self, provider: Provider, process: psutil.Process, connection: Connection, engine_address: str
    ) -> None:
        self.provider = provider
        self.process = process
        self.connection = connection
        """That has it now."""
        self._channel = grpc.insecure_channel(engine_address, options=CHANNEL_OPTIONS)
        self._engine = engine_pb2_grpc.EngineStub(self._channel)
        provider.on_message = self._tell

    @property
    def is_abandoned(self) -> bool:
        """Whether the command has ended."""
        try:
            return not self.process.is_running() or self.process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def close(self) -> None:
        """End the provider's waits, and the way back."""
        self.provider.cancel()
        self._channel.close()

    def _tell(self, urn: str, text: str) -> None:
        request = engine_pb2.LogRequest(urn=urn, severity=engine_pb2.INFO, message=text, ephemeral=True)
        try:
            self._engine.Log(request, timeout=LOG_TIMEOUT_SECONDS)
        except (grpc.RpcError, ValueError) as error:
            # An engine that is gone, or a channel closed meanwhile: the message has no reader left.
            _log.debug("a message about %s was not delivered: %s", urn, error)


class Connections:
    """The instances of all connections of one package."""

    def __init__(self, make: MakeProvider) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._instances: list[Instance] = []
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="connections", daemon=True).start()

    def __len__(self) -> int:
        with self._lock:
            return len(self._instances)

    def open(self, peer: Peer, engine_address: str) -> Provider:
        """A new instance, for the call that an engine begins with. Raises ProviderError for another user's command."""
        connection = established(peer)
        process = find_process(connection)
        instance = Instance(self._make(caller_of(process)), process, cast("Connection", connection), engine_address)
        with self._lock:
            stale = [each for each in self._instances if each.connection == connection]
            self._instances = [*(each for each in self._instances if each.connection != connection), instance]
        for each in stale:
            each.close()
        return instance.provider

    def find(self, peer: Peer) -> Provider:
        """The connection's instance; ProviderError when there is none. Asked at each call: ports are given to the next who connects."""
        connection = established(peer)
        with self._lock:
            found = next((each for each in self._instances if each.connection == connection), None)
        return (found or self._reconnected(connection)).provider

    def close(self) -> None:
        """Close all instances."""
        self._closed.set()
        with self._lock:
            instances, self._instances = self._instances, []
        for instance in instances:
            instance.close()

    def _reconnected(self, connection: Connection | None) -> Instance:
        """A connection that carried nothing for half an hour is closed, and opened again by the next call."""
        process = find_process(connection)
        held = open_files(process.pid)
        with self._lock:
            own = [each for each in self._instances if each.process == process]
            lost = [each for each in own if f"socket:[{each.connection.inode}]" not in held]
            if len(lost) == 1 and connection is not None:
                lost[0].connection = connection
                return lost[0]
        raise ProviderError(
            "the sandbox's providers were restarted while this command ran: run it again, and it goes on where it stopped"
        )

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            with self._lock:
                abandoned = [each for each in self._instances if each.is_abandoned]
                self._instances = [each for each in self._instances if each not in abandoned]
            for instance in abandoned:
                instance.close()
