"""Images that ECR already has, on the real engine with fake providers. The repository's tags are immutable, as the foundation's are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pytest

from components import Image, ImageArgs
from slipway.testing import Deployment

ACCOUNT, REGION = "111111111111", "eu-west-3"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/orders"
IMAGE = "docker:index/image:Image"


@dataclass
class Registry:
    """ECR and a Docker engine. No two builds give the same digest."""

    images: dict[str, str] = field(default_factory=dict[str, str])
    """Digests by tag."""
    asked: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    builds: Iterator[int] = field(default_factory=count)

    def listed(self, call: Any) -> dict[str, Any]:
        self.asked.append(call.inputs)
        named = [{"imageDigest": digest, "imageTag": tag} for tag, digest in self.images.items()]
        return {"imageIds": [{"imageDigest": f"sha256:{'f' * 64}"}, *named]}

    def built(self, call: Any) -> dict[str, Any]:
        """The provider's own answers: with `skipPush` the digest is the ID of an image on this machine."""
        repository, _, tag = call.inputs["imageName"].rpartition(":")
        digest = f"sha256:{next(self.builds):064x}"
        if call.inputs["skipPush"]:
            return {"repoDigest": digest}
        if tag in self.images:
            raise ValueError(f"tag {tag} already exists and cannot be overwritten because the tag is immutable.")
        self.images[tag] = digest
        return {"repoDigest": f"{repository}@{digest}"}


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "context/main.py"


@pytest.fixture
def deployed(deploy: Callable[..., Deployment], registry: Registry) -> Callable[[], Deployment]:
    def deploy_image() -> Deployment:
        """A state of its own each time, as after a `destroy` or in another stack."""
        answers = {IMAGE: registry.built}
        invokes = {
            "aws:ecr/getImages:getImages": registry.listed,
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "token"},
        }
        return deploy(program, answers=answers, invokes=invokes)

    return deploy_image


def program(platform: str = "linux/amd64") -> None:
    providers = [aws.Provider("aws", region="us-east-1"), docker.Provider("docker")]
    args = ImageArgs(repository_url=REPOSITORY, context="context", platform=platform)
    pulumi.export("image", Image("orders", args, pulumi.ResourceOptions(providers=providers)).reference)


def ops(deployment: Deployment) -> list[str]:
    return [step.op for step in deployment.changes if step.type == IMAGE]


def test_image_is_pushed_once_and_then_taken_from_the_repository(
    deployed: Callable[[], Deployment], registry: Registry, source: Path
) -> None:
    source.write_text("1")
    first = deployed()
    (digest,) = registry.images.values()
    assert first.outputs["image"] == f"{REPOSITORY}@{digest}"
    assert registry.asked[0] == {"registryId": ACCOUNT, "region": REGION, "repositoryName": "team/orders"}

    first.preview().assert_no_changes()
    assert ops(first.update()) == []

    fresh = deployed()
    assert fresh.outputs["image"] == first.outputs["image"]
    fresh.preview().assert_no_changes()
    assert [*registry.images.values()] == [digest]


def test_registry_of_another_account_is_asked_where_the_host_does_not_name_it(
    deploy: Callable[..., Deployment], registry: Registry, source: Path
) -> None:
    source.write_text("1")

    def elsewhere() -> None:
        providers = [aws.Provider("aws", region="us-east-1"), docker.Provider("docker")]
        args = ImageArgs(repository_url="127.0.0.1:5000/orders", registry_id=ACCOUNT, context="context")
        Image("orders", args, pulumi.ResourceOptions(providers=providers))

    token = {"userName": "AWS", "password": "token"}
    built = {"repoDigest": f"127.0.0.1:5000/orders@sha256:{'0' * 64}"}
    invokes = {
        "aws:ecr/getImages:getImages": registry.listed,
        "aws:ecr/getAuthorizationToken:getAuthorizationToken": token,
    }
    deploy(elsewhere, answers={IMAGE: built}, invokes=invokes)
    assert registry.asked[0] == {"registryId": ACCOUNT, "repositoryName": "orders"}


def test_source_that_goes_back_takes_its_first_image_and_one_that_goes_on_is_pushed(
    deployed: Callable[[], Deployment], registry: Registry, source: Path
) -> None:
    source.write_text("1")
    deployed()
    stack = deployed()  # its state says that nothing was pushed
    first = stack.outputs["image"]

    source.write_text("2")
    second = stack.update()
    assert second.outputs["image"] == f"{REPOSITORY}@{[*registry.images.values()][1]}"

    source.write_text("1")
    assert stack.preview().outputs["image"] == first, "known before the build"
    back = stack.update()
    assert back.outputs["image"] == first
    assert back.one(IMAGE).inputs["skipPush"] is True
    assert len(registry.images) == 2

    source.write_text("3")
    assert stack.update().outputs["image"] == f"{REPOSITORY}@{[*registry.images.values()][2]}"


def test_image_of_another_platform_is_another_image(
    deployed: Callable[[], Deployment], registry: Registry, source: Path
) -> None:
    source.write_text("1")
    amd = deployed()
    arm = amd.update(lambda: program("linux/arm64"))
    assert arm.outputs["image"] != amd.outputs["image"]
    assert len(registry.images) == 2


def test_taken_image_that_is_deleted_in_the_repository_is_never_named_by_what_was_not_pushed(
    deployed: Callable[[], Deployment], registry: Registry, source: Path
) -> None:
    source.write_text("1")
    deployed()
    stack = deployed()
    registry.images.clear()
    with pytest.raises(pulumi.RunError, match=r"no longer has this source's image.* pulumi up --replace 'urn:"):
        stack.preview()
