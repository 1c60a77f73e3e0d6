"""A PostgreSQL server of the sandbox's kind, for tests of what speaks to one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.sandbox.accounts import unreachable
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.postgres import DatabaseSpec, PostgresInstances
from slipway.sandbox.processes import ProcessTable


@contextmanager
def postgres_server(folder: Path, name: str, password: str) -> Iterator[int]:
    """Its port. User and database are called `orders`; `name` is the server's. Skips the test where there is no PostgreSQL."""
    if os.geteuid() != 0 or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("needs root and Debian's PostgreSQL")
    paths = SandboxPaths(folder)
    instances = PostgresInstances(paths, ProcessTable(paths))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    instances.create(
        DatabaseSpec(name=name, port=port, master_username="orders", master_password=password, database="orders")
    )
    yield port
    instances.delete(name)
    unreachable(paths.sandbox / "postgres")
