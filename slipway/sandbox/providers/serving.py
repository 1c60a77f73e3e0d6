"""The process that serves the providers: `python -m slipway.sandbox.providers.serving`, started and kept by the daemon.

It writes the ports in use as one line of JSON once all can be called, and ends on SIGTERM or with the daemon, whose end of the pipe on
standard input closes with it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from slipway.providers.provider import Caller, Provider
from slipway.providers.server import ProviderServer
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.docker import DockerProvider
from slipway.sandbox.providers.framework.connections import Connections, MakeProvider
from slipway.sandbox.providers.framework.journal import Journal
from slipway.sandbox.providers.framework.schema import resource_schema
from slipway.sandbox.providers.services import registry

BIND_SECONDS = 10
"""How long a port may still be held by the process that served before."""


def serve(ports: Mapping[str, int], *, endpoint: str, journal: Journal) -> dict[str, ProviderServer]:
    """Serve the packages on these ports, 0 for any free one. `endpoint`: AWS's for commands that set no AWS_ENDPOINT_URL."""

    def aws(caller: Caller) -> Provider:
        url = caller.environ.get("AWS_ENDPOINT_URL") or endpoint
        return AwsProvider(replace(caller, environ={**caller.environ, "AWS_ENDPOINT_URL": url}), journal)

    makers: dict[str, MakeProvider] = {"aws": aws, "docker": DockerProvider}
    return {package: _bound(makers[package], port) for package, port in ports.items()}


def _bound(make: MakeProvider, port: int) -> ProviderServer:
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        try:
            return ProviderServer(Connections(make), port=port)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _load_ahead() -> None:
    """Load what takes seconds, so that the first command need not wait for it."""
    for module in ("botocore.session", "slipway.sandbox.providers.docker.engine"):
        importlib.import_module(module)
    for token in registry.all_resources():
        resource_schema(token)  # imports its module of the SDK


def main(arguments: list[str]) -> None:
    """Serve until the end."""
    parser = argparse.ArgumentParser(prog="python -m slipway.sandbox.providers.serving")
    parser.add_argument("--ports", type=json.loads, required=True, help='by package: {"aws": 4567, "docker": 4568}')
    parser.add_argument("--endpoint", required=True, help="the AWS API's URL")
    parser.add_argument("--journal", type=Path, required=True, help="the file with the notes of creates")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the daemon
    servers = serve(options.ports, endpoint=options.endpoint, journal=Journal(options.journal))
    sys.stdout.write(json.dumps({package: server.port for package, server in servers.items()}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=_load_ahead, daemon=True).start()
    sys.stdin.buffer.read()  # until the daemon has ended
    # At once, as after a kill: running creates are in the journal, and their commands are told by the closed connection.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
