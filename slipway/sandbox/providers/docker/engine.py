# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# The Docker SDK has no types.
"""Builds and pushes by a Docker engine, with its classic builder."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import docker
import requests
from docker.errors import DockerException, ImageNotFound

from slipway.providers.provider import ProviderError
from slipway.sandbox.docker import engine_answers
from slipway.sandbox.images import find_recipe
from slipway.sandbox.images.source import Reference
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.providers.docker.dockerfile import base_images
from slipway.sandbox.providers.docker.inputs import ImageSpec, split_name
from slipway.sandbox.registry import REGISTRY_ADDRESS
from slipway.sandbox.registry_access import RegistryAccess

CONNECT_TIMEOUT_SECONDS = 10
SILENCE_TIMEOUT_SECONDS = 600
"""How long a step of a build, a pull or a push may say nothing."""
KEPT_LINES = 25
"""Last lines of a failed build's log in the error."""

_FAILURES = (DockerException, requests.RequestException, OSError)
Say = Callable[[str], None]


class Engine:
    """One Docker engine; each piece of work has its own connections."""

    def __init__(self, host: str, environ: Mapping[str, str]) -> None:
        """`environ`: the caller's. No `host`: the one that its DOCKER_HOST names, else the machine's."""
        self._environ = {**environ, "DOCKER_HOST": host} if host else dict(environ)
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """End running builds and pushes at the next word from the engine."""
        self._cancelled.set()

    def build(self, image: ImageSpec, *, timeout_seconds: float, say: Say) -> str:
        """Build and tag the image; its id (`sha256:…`). `timeout_seconds` 0: as long as it takes."""
        deadline = time.monotonic() + timeout_seconds if timeout_seconds else 0
        with self._client() as client:
            try:
                self._have_base_images(client, image, say)
                for cache in image.cache_from:
                    with contextlib.suppress(*_FAILURES):  # a cache that is not there yet is none
                        client.api.pull(*split_name(cache))
                say(f"building {image.name}")
                self._follow(self._started(client, image), image, deadline, say)
                return str(client.api.inspect_image(image.name)["Id"])
            except _FAILURES as error:
                raise ProviderError(f"building {image.name} failed: {_reason(error)}") from error

    def push(self, image: ImageSpec, *, say: Say) -> str:
        """Push the image; its digest (`sha256:…`) in the registry."""
        repository, tag = split_name(image.name)
        registry = image.registry
        # None makes the SDK look into the machine's Docker configuration.
        auth = {"username": registry.username, "password": registry.password, "serveraddress": registry.server}
        say(f"pushing {image.name}")
        digest = ""
        with self._client() as client:
            try:
                answers = client.api.push(
                    repository, tag=tag, stream=True, decode=True, auth_config=auth if registry.username else None
                )
                failure = ""
                # Read to the end also after an error: an answer left half read keeps its socket open.
                for answer in self._answers(answers, f"pushing {image.name}"):
                    failure = str(answer.get("error") or failure)
                    digest = str(cast("Mapping[str, Any]", answer.get("aux") or {}).get("Digest") or digest)
            except _FAILURES as error:
                raise ProviderError(f"pushing {image.name} failed: {_reason(error)}") from error
        if failure:
            raise ProviderError(f"pushing {image.name} failed: {failure}")
        if not digest:
            raise ProviderError(f"pushing {image.name} failed: the engine names no digest for it")
        return digest

    @contextlib.contextmanager
    def _client(self) -> Generator[docker.DockerClient]:
        host = self._environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        # The SDK leaks its socket when nobody listens there.
        if host.startswith("unix://") and not engine_answers(host):
            raise ProviderError(f"no Docker engine answers at {host}: start it, or let DOCKER_HOST name another")
        try:
            client = docker.from_env(environment=self._environ, timeout=CONNECT_TIMEOUT_SECONDS)
        except _FAILURES as error:
            raise ProviderError(
                f"no Docker engine answers at {host} ({_reason(error)}): start it, or let DOCKER_HOST name another"
            ) from error
        with contextlib.closing(client):
            client.api.reload_config(self._configuration())
            client.api.timeout = SILENCE_TIMEOUT_SECONDS
            yield client

    def _configuration(self) -> str:
        """The caller's Docker configuration, which has the credentials of registries."""
        folder = self._environ.get("DOCKER_CONFIG") or Path(self._environ.get("HOME", "")) / ".docker"
        return str(Path(folder) / "config.json")

    def _started(self, client: docker.DockerClient, image: ImageSpec) -> Iterable[Mapping[str, Any]]:
        archive, dockerfile = image.context.archive()
        with archive:
            return client.api.build(
                fileobj=archive,
                custom_context=True,
                dockerfile=dockerfile,
                tag=image.name,
                buildargs=dict(image.args),
                extra_hosts=dict(image.add_hosts) or None,
                cache_from=list(image.cache_from) or None,
                target=image.target or None,
                platform=image.platform or None,
                network_mode=image.network or None,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=SILENCE_TIMEOUT_SECONDS,
            )

    def _have_base_images(self, client: docker.DockerClient, image: ImageSpec, say: Say) -> None:
        """Fetch what the image starts from: from the sandbox's registry, which has stand-ins where no public registry answers."""
        for name in base_images(image.context.dockerfile.read_text(), image.args):
            wanted = Reference.parse(name)
            if wanted is None or find_recipe(wanted.repository.removeprefix("library/"), wanted.tag) is None:
                continue
            short = f"{wanted.repository.removeprefix('library/')}:{wanted.tag}"
            try:
                client.api.inspect_image(short)
                continue
            except ImageNotFound:
                say(f"pulling {short}")
            credentials = RegistryAccess(SandboxPaths.from_environment()).pull_credentials()
            with contextlib.suppress(*_FAILURES):
                found = client.images.pull(
                    f"{REGISTRY_ADDRESS}/{wanted.repository}", tag=wanted.tag, auth_config=credentials
                )
                found.tag(*split_name(short))
                continue
            try:
                client.images.pull(*split_name(short))
            except _FAILURES as error:
                raise ProviderError(
                    f"building {image.name} failed: neither a public registry nor the sandbox's has {short}: {_reason(error)}"
                ) from error

    def _follow(self, answers: Iterable[Mapping[str, Any]], image: ImageSpec, deadline: float, say: Say) -> None:
        """Read a build's answers to the end; its failing step and last lines become the error."""
        step, failure, lines = "", "", deque[str](maxlen=KEPT_LINES)
        for answer in self._answers(answers, f"building {image.name}", deadline):
            text = str(answer.get("stream") or "").rstrip()
            if text.startswith("Step "):
                step = text
                say(text)
            lines.extend(text.splitlines())
            failure = str(answer.get("error") or failure)
        if failure:
            log = "".join(f"\n  {line}" for line in lines)
            raise ProviderError(f"building {image.name} failed{f' at {step}' if step else ''}: {failure}{log}")

    def _answers(
        self, answers: Iterable[Mapping[str, Any]], work: str, deadline: float = 0
    ) -> Generator[Mapping[str, Any]]:
        for answer in answers:
            if self._cancelled.is_set():
                raise ProviderError(f"{work} was cancelled")
            if deadline and time.monotonic() > deadline:
                raise ProviderError(f"{work} took longer than its custom timeout")
            yield answer


def _reason(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)
