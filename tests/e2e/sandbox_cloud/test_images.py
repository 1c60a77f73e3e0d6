"""ECR and the stand-in images: pushes, pulls and builds against a real registry and a real engine."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import docker.errors
import httpx
import pytest

REGISTRY = "127.0.0.1:5000"
Push = Callable[[Any, str, str], list[dict[str, Any]]]


@pytest.fixture
def repository(aws: Callable[..., Any]) -> Iterator[str]:
    name = f"e2e/{uuid4().hex[:8]}"
    made = aws("ecr").create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")["repository"]
    assert made["repositoryUri"] == f"{REGISTRY}/{name}"
    yield name
    aws("ecr").delete_repository(repositoryName=name, force=True)


def build(engine: Any, name: str, *lines: str) -> Any:
    dockerfile = "\n".join(["FROM python:3.11-slim-bookworm", *lines])
    image, _ = engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, rm=True)
    return image


@pytest.fixture
def push(engine: Any, registry_login: dict[str, str]) -> Push:
    def pushed(image: Any, repository: str, tag: str) -> list[dict[str, Any]]:
        image.tag(f"{REGISTRY}/{repository}", tag)
        answer = engine.images.push(f"{REGISTRY}/{repository}", tag=tag, auth_config=registry_login)
        return [json.loads(line) for line in answer.splitlines()]

    return pushed


def test_image_is_in_ecr_when_it_was_pushed(engine: Any, push: Push, aws: Callable[..., Any], repository: str) -> None:
    image = build(engine, "slipway-e2e:pushed", "RUN echo one > /one")
    answers = push(image, repository, "1.0")
    digest = next(answer["aux"]["Digest"] for answer in answers if "aux" in answer)
    (detail,) = aws("ecr").describe_images(repositoryName=repository)["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (digest, ["1.0"])
    assert detail["imageSizeInBytes"] > 1_000_000
    assert aws("ecr").batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"]


def test_refuses_to_move_a_tag_of_an_immutable_repository(
    engine: Any, push: Push, aws: Callable[..., Any], repository: str
) -> None:
    push(build(engine, "slipway-e2e:one", "RUN echo one > /one"), repository, "1.0")
    before = aws("ecr").list_images(repositoryName=repository)["imageIds"]
    answers = push(build(engine, "slipway-e2e:two", "RUN echo two > /two"), repository, "1.0")
    assert any("cannot be overwritten because the tag is immutable" in answer.get("error", "") for answer in answers)
    assert aws("ecr").list_images(repositoryName=repository)["imageIds"] == before


def test_image_stays_under_its_other_tag_when_one_is_deleted(
    engine: Any, push: Push, aws: Callable[..., Any], registry_login: dict[str, str], repository: str
) -> None:
    image = build(engine, "slipway-e2e:two-tags", "RUN echo two > /two")
    for tag in ("a", "b"):
        push(image, repository, tag)
    aws("ecr").batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "a"}])
    assert [each["imageTag"] for each in aws("ecr").list_images(repositoryName=repository)["imageIds"]] == ["b"]
    engine.images.remove(f"{REGISTRY}/{repository}:b")
    assert engine.images.pull(f"{REGISTRY}/{repository}", tag="b", auth_config=registry_login)


def test_refuses_to_delete_a_repository_that_has_images(
    engine: Any, push: Push, aws: Callable[..., Any], repository: str
) -> None:
    push(build(engine, "slipway-e2e:kept", "RUN echo kept > /kept"), repository, "1")
    with pytest.raises(aws("ecr").exceptions.RepositoryNotEmptyException):
        aws("ecr").delete_repository(repositoryName=repository)


def test_builds_install_python_packages(engine: Any) -> None:
    image = build(engine, "slipway-e2e:pip", "RUN pip install --quiet six && python -c 'import six'")
    assert engine.containers.run(image.id, ["python", "-c", "import six; print(six.__name__)"], remove=True) == b"six\n"


@pytest.mark.parametrize(
    ("image", "command", "expected"),
    [
        ("busybox:1.36", ["sh", "-c", "echo hello"], b"hello\n"),
        ("debian:bookworm-slim", ["sh", "-c", "cat /etc/debian_version | cut -d. -f1"], b"12\n"),
        ("nginx:1.25", ["nginx", "-t"], None),
    ],
)
def test_image_runs_when_no_public_registry_answers(
    engine: Any, registry_login: dict[str, str], image: str, command: list[str], expected: bytes | None
) -> None:
    try:
        pulled = engine.images.pull(f"{REGISTRY}/library/{image}", auth_config=registry_login)
    except docker.errors.NotFound:
        pytest.skip("a public registry answers, and no stand-in is made")
    output = engine.containers.run(pulled.id, command, remove=True)
    assert expected is None or output == expected
    assert pulled.labels["dev.slipway.stand-in"] == "true"


def test_refuses_an_image_that_no_recipe_makes(engine: Any, registry_login: dict[str, str]) -> None:
    with pytest.raises(docker.errors.NotFound):
        engine.images.pull(f"{REGISTRY}/library/slipway-e2e-no-such-image", tag="1", auth_config=registry_login)


@pytest.mark.parametrize("password", ["", "not-a-token"])
def test_refuses_a_push_and_a_pull_without_a_token(engine: Any, push: Push, repository: str, password: str) -> None:
    push(build(engine, "slipway-e2e:closed", "RUN echo closed > /closed"), repository, "1")
    login = {"auth_config": {"username": "AWS", "password": password}} if password else {}
    refusal = "no basic auth credentials|unauthorized|Not Authorized"
    with pytest.raises(docker.errors.APIError, match=refusal):
        engine.images.pull(f"{REGISTRY}/{repository}", tag="1", **login)
    assert re.search(refusal, engine.images.push(f"{REGISTRY}/{repository}", tag="1", **login))


UPLOAD = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]


@pytest.mark.parametrize(
    ("actions", "begins", "reads"),
    [(UPLOAD, 202, 403), (["ecr:BatchGetImage"], 403, 404), (["ecr:PutImage"], 403, 403)],
)
def test_token_is_good_for_what_its_user_may_do_with_the_repository_at_that_moment(
    aws: Callable[..., Any], repository: str, actions: list[str], begins: int, reads: int
) -> None:
    iam, name = aws("iam"), f"e2e-{uuid4().hex[:6]}"
    own = f"arn:aws:ecr:us-east-1:123456789012:repository/{repository}"
    statements = [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": actions, "Resource": own},
    ]
    aws("ecr").create_repository(repositoryName=f"{repository}-other")
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements})
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        ecr = boto3.client(
            "ecr",
            "us-east-1",
            endpoint_url=aws("ecr").meta.endpoint_url,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        (given,) = ecr.get_authorization_token()["authorizationData"]
        user, _, token = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        with httpx.Client(auth=(user, token), base_url=f"http://{REGISTRY}/v2/", trust_env=False) as client:

            def statuses(name: str) -> list[int]:
                begun = client.post(f"{name}/blobs/uploads/")
                return [begun.status_code, client.get(f"{name}/manifests/1").status_code]

            assert statuses(repository) == [begins, reads]
            assert statuses(f"{repository}-other") == [403, 403]
            assert client.get("_catalog").status_code != 200
            iam.delete_user_policy(UserName=name, PolicyName="own")
            assert statuses(repository) == [403, 403]
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        if iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName="own")
        iam.delete_user(UserName=name)
        aws("ecr").delete_repository(repositoryName=f"{repository}-other", force=True)
