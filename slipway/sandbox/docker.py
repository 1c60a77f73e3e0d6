"""The Docker engine that builds images: the machine's own when one answers, else one of the sandbox's."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from pathlib import Path

import docker
import docker.errors
import psutil

from slipway.errors import OperationError
from slipway.sandbox.docker_host import RUNTIME_FOLDER, docker_folder, engine_host, record_engine_host
from slipway.sandbox.firewall import remember_forward_policy, remove_engine_rules
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessSpec, ProcessTable
from slipway.sandbox.registry import REGISTRY_ADDRESS
from slipway.sandbox.registry_access import RegistryAccess

PROBE_TIMEOUT_SECONDS = 3
PULL_TIMEOUT_SECONDS = 120
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE_ADDRESS = "10.87.1.1/24"
"""The engine's bridge; outside Docker's default range, so that it cannot collide with another engine's."""


class DockerEngine:
    """Finds or runs the engine."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable) -> None:
        self._paths = paths
        self._folder = docker_folder(paths)
        self._processes = processes
        self._access = RegistryAccess(paths)
        self._run = RUNTIME_FOLDER

    @property
    def host(self) -> str:
        """DOCKER_HOST of the engine in use."""
        return engine_host(self._paths)

    def start(self) -> str:
        """Have an engine; its DOCKER_HOST. Raises OperationError with the engine's log when it does not come up."""
        self._folder.mkdir(parents=True, exist_ok=True)
        host = self._foreign_host() or self._start_own()
        record_engine_host(self._paths, host)
        return host

    def load(self, repository: str, tag: str) -> None:
        """Have an image of the sandbox's registry under its public name. No engine sends credentials to a mirror."""
        name = repository.removeprefix("library/")
        client = docker.DockerClient(base_url=self.host, timeout=PULL_TIMEOUT_SECONDS)
        try:
            if any(f"{name}:{tag}" in image.tags for image in client.images.list(name)):
                return
            image = client.images.pull(
                f"{REGISTRY_ADDRESS}/{repository}", tag=tag, auth_config=self._access.pull_credentials()
            )
            image.tag(name, tag)
        except docker.errors.DockerException as error:
            raise OperationError(f"the Docker engine cannot load {name}:{tag}: {error}", where=self.host) from error
        finally:
            client.close()

    def stop(self) -> None:
        """End the sandbox's own engine (and its containers); one of the machine's is left alone."""
        self._processes.stop("docker", timeout_seconds=20)
        # An engine that was killed leaves its containerd behind.
        pid_file = self._run / "exec/containerd/containerd.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.Error):
            process = psutil.Process(int(pid_file.read_text()))
            if process.name() == "containerd":
                process.terminate()
                process.wait(10)

    def remove(self) -> None:
        """Remove the sandbox's own engine with its sockets and its bridge."""
        self.stop()
        policy = self._folder / "forward-policy"
        if policy.exists():  # the engine was ours
            remove_engine_rules(policy)
        shutil.rmtree(self._run, ignore_errors=True)

    def _foreign_host(self) -> str:
        record = self._processes.find("docker")
        if record is not None and record.process() is not None:
            return ""
        for host in (os.environ.get("DOCKER_HOST", ""), "unix:///var/run/docker.sock"):
            if host and str(self._run) not in host and engine_answers(host):
                return host
        return ""

    def _start_own(self) -> str:
        self._run.mkdir(parents=True, exist_ok=True)
        # An engine that finds forwarding off turns it on, and sets the machine's policy to drop what is forwarded.
        FORWARDING.write_text("1")
        remember_forward_policy(self._folder / "forward-policy")
        host = f"unix://{self._run}/docker.sock"
        configuration = self._folder / "daemon.json"
        configuration.write_text(json.dumps(self._settings(host), indent=2))
        self._processes.ensure(
            ProcessSpec(
                name="docker",
                argv=["dockerd", "--config-file", str(configuration)],
                ready=lambda: engine_answers(host),
                ready_timeout_seconds=60,
                stop_timeout_seconds=20,
            )
        )
        return host

    def _settings(self, host: str) -> dict[str, object]:
        return {
            "hosts": [host],
            "data-root": str(self._folder / "data"),
            # Under /run, because the sockets in it have a limit of 107 bytes and a home folder may be deep.
            "exec-root": str(self._run / "exec"),
            "pidfile": str(self._run / "docker.pid"),
            "bip": BRIDGE_ADDRESS,
            "storage-driver": "overlay2",
            "live-restore": False,
            "log-level": "warn",
            "features": {"buildkit": False},
        }


def engine_answers(host: str) -> bool:
    """Whether a Docker engine answers there."""
    kind, _, address = host.partition("://")
    # The docker library, and httpx as well, leak the socket when nobody listens, and this is asked every few seconds.
    if kind == "unix" and not _listens(address):
        return False
    try:
        with contextlib.closing(docker.DockerClient(base_url=host, timeout=PROBE_TIMEOUT_SECONDS)) as engine:
            return bool(engine.ping())
    except (docker.errors.DockerException, OSError):
        return False


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_TIMEOUT_SECONDS)
        return probe.connect_ex(path) == 0
