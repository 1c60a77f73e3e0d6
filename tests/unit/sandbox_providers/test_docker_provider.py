"""The Image resource without an engine: checks, digests, diffs, previews and what a build's answer becomes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slipway.providers.provider import (
    CallContext,
    Caller,
    CheckResult,
    DiffChanges,
    NotImplementedByProviderError,
    ProviderError,
)
from slipway.providers.values import UNKNOWN, PropertyMap, Secret
from slipway.sandbox.providers.docker import DockerProvider
from slipway.sandbox.providers.docker.engine import Engine, Say
from slipway.sandbox.providers.docker.inputs import IMAGE_TYPE, ImageSpec

DIGEST = f"sha256:{'d' * 64}"
IMAGE_ID = f"sha256:{'1' * 64}"
PASSWORD = "a-registry-password"


class RecordingEngine(Engine):
    """Answers as an engine does, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__("", {})
        self.built: list[ImageSpec] = []
        self.pushed: list[ImageSpec] = []
        self.failure = ""

    def build(self, image: ImageSpec, *, timeout_seconds: float, say: Say) -> str:
        if self.failure:
            raise ProviderError(self.failure)
        self.built.append(image)
        return IMAGE_ID

    def push(self, image: ImageSpec, *, say: Say) -> str:
        self.pushed.append(image)
        return DIGEST


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


@pytest.fixture
def provider(engine: RecordingEngine) -> DockerProvider:
    return DockerProvider(make_engine=lambda _host, _environ: engine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "context"
    made.mkdir()
    (made / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (made / "main.py").write_text("one")
    return made


def call(*, preview: bool = False, kind: str = IMAGE_TYPE) -> CallContext:
    return CallContext(urn=f"urn:pulumi:dev::p::{kind}::i", type=kind, name="i", preview=preview)


def wanted(folder: Path, **more: Any) -> PropertyMap:
    registry = {"server": "127.0.0.1:5000/app", "username": "AWS", "password": PASSWORD}
    return {"imageName": "127.0.0.1:5000/app:1", "build": {"context": str(folder)}, "registry": registry} | more


def checked(provider: DockerProvider, news: PropertyMap) -> PropertyMap:
    result = provider.check(call(), {}, news)
    assert not result.failures
    return result.inputs


def changes(provider: DockerProvider, old: PropertyMap, new: PropertyMap) -> tuple[DiffChanges, set[str]]:
    found = provider.diff(call(), "i", old, {}, new)
    return found.changes, set(found.detailed or {})


def test_outputs_name_the_pushed_digest_and_no_password(
    provider: DockerProvider, engine: RecordingEngine, folder: Path
) -> None:
    inputs = checked(provider, wanted(folder))
    made = provider.create(call(), inputs)
    assert made.id == made.outputs["imageName"] == made.outputs["baseImageName"] == "127.0.0.1:5000/app:1"
    assert made.outputs["repoDigest"] == f"127.0.0.1:5000/app@{DIGEST}"
    assert made.outputs["registryServer"] == "127.0.0.1:5000"
    assert inputs["registry"]["password"] == Secret(PASSWORD)
    assert PASSWORD not in f"{made}{engine.pushed}"
    assert engine.pushed[0].registry.password == PASSWORD


def test_image_stays_local_when_push_is_skipped(
    provider: DockerProvider, engine: RecordingEngine, folder: Path
) -> None:
    made = provider.create(call(), checked(provider, wanted(folder, skipPush=True)))
    assert made.outputs["repoDigest"] == IMAGE_ID
    assert not engine.pushed


def test_nothing_changes_when_only_credentials_or_the_checkout_differ(
    provider: DockerProvider, folder: Path, tmp_path: Path
) -> None:
    old = checked(provider, wanted(folder))
    registry = {"server": "127.0.0.1:5000", "username": "other", "password": Secret("another")}
    moved = folder.rename(tmp_path / "elsewhere")
    (moved / "main.py").chmod(0o600)
    new = checked(provider, wanted(moved, registry=registry))
    assert changes(provider, old, new) == (DiffChanges.NONE, set())


@pytest.mark.parametrize("name", ["main.py", "Dockerfile", "new.py"])
def test_image_changes_when_a_file_does(provider: DockerProvider, folder: Path, name: str) -> None:
    old = checked(provider, wanted(folder))
    (folder / name).write_text("FROM scratch\n# changed\n")
    assert changes(provider, old, checked(provider, wanted(folder))) == (DiffChanges.SOME, {"build.contextDigest"})


def test_image_changes_when_a_file_becomes_executable(provider: DockerProvider, folder: Path) -> None:
    old = checked(provider, wanted(folder))
    (folder / "main.py").chmod(0o755)
    assert changes(provider, old, checked(provider, wanted(folder)))[0] == DiffChanges.SOME


def test_ignored_files_change_nothing(provider: DockerProvider, folder: Path) -> None:
    (folder / ".dockerignore").write_text("**/*.log\nDockerfile\n")
    old = checked(provider, wanted(folder))
    (folder / "deep").mkdir()
    before = checked(provider, wanted(folder))
    (folder / "deep" / "noise.log").write_text("noise")
    assert changes(provider, before, checked(provider, wanted(folder))) == (DiffChanges.NONE, set())
    (folder / "Dockerfile").write_text("FROM scratch\n")
    assert changes(provider, old, checked(provider, wanted(folder)))[0] == DiffChanges.SOME


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"imageName": "127.0.0.1:5000/app:2"}, "imageName"),
        ({"skipPush": True}, "skipPush"),
        ({"args": {"A": "2"}}, "build.args"),
        ({"platform": "linux/arm64"}, "build.platform"),
        ({"target": "other"}, "build.target"),
    ],
)
def test_image_changes_when_an_input_does(
    provider: DockerProvider, folder: Path, more: dict[str, Any], path: str
) -> None:
    base = wanted(folder)
    group = path.startswith("build.")
    news = {**base, "build": {**base["build"], **more}} if group else {**base, **more}
    assert changes(provider, checked(provider, base), checked(provider, news)) == (DiffChanges.SOME, {path})


def test_digest_is_unknown_and_nothing_is_built_in_a_preview(
    provider: DockerProvider, engine: RecordingEngine, folder: Path
) -> None:
    made = provider.create(call(preview=True), checked(provider, wanted(folder)))
    assert (made.id, made.outputs["repoDigest"]) == ("", UNKNOWN)
    assert made.outputs["imageName"] == "127.0.0.1:5000/app:1"
    unknown = provider.create(
        call(preview=True), checked(provider, wanted(folder, imageName=UNKNOWN, registry=UNKNOWN))
    )
    assert unknown.outputs["imageName"] is UNKNOWN
    assert not engine.built


def test_image_is_built_but_not_pushed_when_previews_build(
    provider: DockerProvider, engine: RecordingEngine, folder: Path
) -> None:
    made = provider.create(call(preview=True), checked(provider, wanted(folder, buildOnPreview=True)))
    assert made.outputs["repoDigest"] is UNKNOWN
    assert engine.built
    assert not engine.pushed


def test_relative_paths_start_from_the_callers_folder(engine: RecordingEngine, folder: Path) -> None:
    provider = DockerProvider(Caller(folder=folder.parent), lambda _host, _environ: engine)
    inputs = checked(provider, wanted(Path("context")))
    assert provider.create(call(), inputs).outputs["context"] == "context"
    assert engine.built[0].context.folder == folder


def test_engine_is_the_one_of_the_callers_environment(engine: RecordingEngine, folder: Path) -> None:
    asked: list[tuple[str, str]] = []

    def make(host: str, environ: Mapping[str, str]) -> Engine:
        asked.append((host, environ["DOCKER_HOST"]))
        return engine

    provider = DockerProvider(Caller(environ={"DOCKER_HOST": "unix:///a.sock"}), make)
    provider.create(call(), checked(provider, wanted(folder)))
    assert asked == [("", "unix:///a.sock")]


def test_errors_do_not_tell_secrets(provider: DockerProvider, engine: RecordingEngine, folder: Path) -> None:
    engine.failure = f"step 2: echo hidden-argument {PASSWORD}"
    inputs = checked(provider, wanted(folder, build={"context": str(folder), "args": {"A": Secret("hidden-argument")}}))
    with pytest.raises(ProviderError) as caught:
        provider.create(call(), inputs)
    assert str(caught.value) == "step 2: echo [secret] [secret]"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("more", "blamed"),
    [
        ({"buildx": {}}, "buildx"),
        ({"build": {"context": "/", "ssh": "x"}}, "build.ssh"),
        ({"build": {"builderVersion": "BuilderBuildKit"}}, "build.builderVersion"),
        ({"build": {"context": "https://example.com/a.git"}}, "build.context"),
        ({"build": {"context": "/no/such/folder"}}, "build.context"),
        ({"registry": {"server": "other.example.com", "password": "p"}}, "registry.server"),
        ({"imageName": "UPPER CASE"}, "imageName"),
        ({"imageName": None}, "imageName"),
    ],
)
def test_refuses_inputs_by_name(provider: DockerProvider, folder: Path, more: PropertyMap, blamed: str) -> None:
    base = wanted(folder)
    if "build" in more and "context" not in more["build"]:
        more = {"build": {**base["build"], **more["build"]}}
    result: CheckResult = provider.check(call(), {}, {**base, **more})
    assert blamed in {failure.property for failure in result.failures}


def test_refuses_a_context_without_a_dockerfile(provider: DockerProvider, folder: Path) -> None:
    (folder / "Dockerfile").unlink()
    (failure,) = provider.check(call(), {}, wanted(folder)).failures
    assert failure.reason == f"there is no Dockerfile at {folder}/Dockerfile"


def test_refuses_other_types_and_functions(provider: DockerProvider) -> None:
    kind = "docker:index/container:Container"
    with pytest.raises(NotImplementedByProviderError, match=kind):
        provider.check(call(kind=kind), {}, {})
    with pytest.raises(NotImplementedByProviderError, match="getNetwork"):
        provider.invoke("docker:index/getNetwork:getNetwork", {}, preview=False)
    (failure,) = provider.check_config(call(), {}, {"registryAuth": "[]", "host": "unix:///a"}).failures
    assert failure.property == "registryAuth"


def test_error_names_the_host_when_no_engine_answers(folder: Path, tmp_path: Path) -> None:
    provider = DockerProvider()
    provider.configure(call(), {"host": f"unix://{tmp_path}/none.sock"})
    with pytest.raises(ProviderError, match=f"no Docker engine answers at unix://{tmp_path}/none.sock"):
        provider.create(call(), checked(provider, wanted(folder)))
