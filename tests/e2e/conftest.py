"""The sandbox of this machine, brought up if it is not."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import docker
import pytest

from slipway.sandbox import lifecycle
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from tests.aws import aws_client
from tests.waiting import wait_until

WAIT_SECONDS = 120


@pytest.fixture(scope="session")
def paths() -> SandboxPaths:
    found = SandboxPaths.from_environment()
    lifecycle.up(found, print)
    return found


@pytest.fixture(scope="session")
def environment(paths: SandboxPaths) -> dict[str, str]:
    return {**os.environ, **sandbox_environment(paths)}


@pytest.fixture
def aws(paths: SandboxPaths) -> Callable[..., Any]:
    return partial(aws_client, home=paths.home)


@pytest.fixture
def registry_login(aws: Callable[..., Any]) -> dict[str, str]:
    """User and password for a push, as `aws ecr get-login-password` gives them."""
    (data,) = aws("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {"username": user, "password": password}


@pytest.fixture
def engine(environment: dict[str, str]) -> Iterator[Any]:
    client = docker.DockerClient(base_url=environment["DOCKER_HOST"], timeout=180)
    yield client
    client.close()


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in the sandbox's environment."""

    def call(*argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, env=environment | more, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )

    return call


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], str], None]:
    """Poll until true; the text says what was waited for."""

    return partial(wait_until, seconds=WAIT_SECONDS)
