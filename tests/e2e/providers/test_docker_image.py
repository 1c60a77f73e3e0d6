"""The Docker provider against the sandbox's real engine and registry."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from slipway.providers.provider import CallContext, DiffChanges, ProviderError
from slipway.providers.values import PropertyMap, Secret
from slipway.sandbox import lifecycle
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.providers.docker import DockerProvider
from slipway.sandbox.registry import REGISTRY_ADDRESS
from slipway.sandbox.registry_access import RegistryAccess

APP = Path(__file__).parents[3] / "app"
CALL = CallContext(urn="urn:pulumi:dev::p::docker:index/image:Image::i", type="docker:index/image:Image", name="i")


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    paths = SandboxPaths.from_environment()
    lifecycle.up(paths, print)
    return sandbox_environment(paths)


@pytest.fixture
def engine(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    client = docker.DockerClient(base_url=environment["DOCKER_HOST"], timeout=180)
    yield client
    client.close()


@pytest.fixture
def name(engine: Any) -> Iterator[str]:
    made = f"{REGISTRY_ADDRESS}/e2e-{uuid4().hex[:8]}:one"
    yield made
    if engine.images.list(made):
        engine.images.remove(made, force=True)


def inputs(name: str, folder: Path) -> PropertyMap:
    password, _ = RegistryAccess(SandboxPaths.from_environment()).token(datetime.now(UTC), push=True)
    registry = {"server": REGISTRY_ADDRESS, "username": "AWS", "password": Secret(password)}
    return {"imageName": name, "build": {"context": str(folder)}, "registry": registry}


def test_app_is_built_and_pushed_once_until_a_file_changes(engine: Any, name: str, tmp_path: Path) -> None:
    provider = DockerProvider()
    old = provider.check(CALL, {}, inputs(name, APP)).inputs
    made = provider.create(CALL, old)
    repository, _, digest = made.outputs["repoDigest"].partition("@")
    assert f"{repository}:one" == name
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    assert (
        engine.images.get_registry_data(
            name, auth_config=RegistryAccess(SandboxPaths.from_environment()).pull_credentials()
        ).id
        == digest
    )
    copy = shutil.copytree(APP, tmp_path / "app")
    same = provider.check(CALL, old, inputs(name, copy)).inputs
    assert provider.diff(CALL, made.id, old, made.outputs, same).changes == DiffChanges.NONE
    (copy / "VERSION").write_text("9.9.9\n")
    changed = provider.check(CALL, old, inputs(name, copy)).inputs
    assert provider.diff(CALL, made.id, old, made.outputs, changed).changes == DiffChanges.SOME
    assert provider.update(CALL, made.id, old, made.outputs, changed)["repoDigest"] != made.outputs["repoDigest"]


def test_error_tells_the_failing_step_and_its_output(engine: Any, name: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox:1.36\nARG TOKEN\nRUN echo why it failed $TOKEN; exit 3\n")
    provider = DockerProvider()
    news = inputs(name, tmp_path)
    news["build"]["args"] = {"TOKEN": Secret("hidden-token")}
    with pytest.raises(ProviderError) as caught:
        provider.create(CALL, provider.check(CALL, {}, news).inputs)
    message = str(caught.value)
    assert "failed at Step 3/3 : RUN" in message
    assert "why it failed [secret]" in message
    assert "non-zero code: 3" in message
    assert "hidden-token" not in message


def test_refuses_a_base_image_that_nobody_has(engine: Any, name: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM slipway-e2e-no-such-image:1\n")
    provider = DockerProvider()
    with pytest.raises(ProviderError, match=r"building .* failed"):
        provider.create(CALL, provider.check(CALL, {}, inputs(name, tmp_path)).inputs)
