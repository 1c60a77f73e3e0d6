"""Where the Docker engine in use listens; says so without importing Docker's client."""

from __future__ import annotations

from pathlib import Path

from slipway.sandbox.paths import SandboxPaths

RUNTIME_FOLDER = Path("/run/slipway-docker")
"""Sockets of the sandbox's own Docker engine; a socket's path may have 107 bytes only, and a home folder may be deep."""


def docker_folder(paths: SandboxPaths) -> Path:
    """Everything persistent of the sandbox's own engine."""
    return paths.sandbox / "docker"


def engine_host(paths: SandboxPaths) -> str:
    """DOCKER_HOST of the engine in use: the environment's, the machine's, or the sandbox's own."""
    recorded = _record(paths)
    return recorded.read_text() if recorded.exists() else f"unix://{RUNTIME_FOLDER}/docker.sock"


def record_engine_host(paths: SandboxPaths, host: str) -> None:
    """Remember which engine is in use. Whole, or not at all: the daemon asks for its engine every few seconds, while others read."""
    record = _record(paths)
    temporary = record.with_suffix(".tmp")
    temporary.write_text(host)
    temporary.replace(record)


def _record(paths: SandboxPaths) -> Path:
    return docker_folder(paths) / "host"
