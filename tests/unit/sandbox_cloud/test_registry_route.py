"""The daemon's page for manifests: asked past the registry's proxy, it lets no more through than the proxy does."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from slipway.sandbox.aws import routes
from slipway.sandbox.aws.answers import Answer
from slipway.sandbox.aws.routes import registry_route
from slipway.sandbox.images import ImageBuilder, ImageSource
from slipway.sandbox.images.oci import RegistryClient
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.registry_access import RegistryAccess


def basic(token: str, user: str = "AWS") -> str:
    return f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("push", "201 Created"),
        ("pull", "403 Forbidden"),
        ("none", "401 Unauthorized"),
        ("another user", "401 Unauthorized"),
        ("bearer", "401 Unauthorized"),
        ("garbage", "401 Unauthorized"),
        ("expired", "401 Unauthorized"),
        ("another sandbox's", "401 Unauthorized"),
    ],
)
def test_manifest_is_written_with_a_push_token_only(tmp_path: Path, kind: str, status: str) -> None:
    access = RegistryAccess(SandboxPaths(tmp_path))
    push, _ = access.token(datetime.now(UTC), push=True)
    old, _ = access.token(datetime(2026, 1, 1, tzinfo=UTC), push=True)
    foreign, _ = RegistryAccess(SandboxPaths(tmp_path / "foreign")).token(datetime.now(UTC), push=True)
    authorization = {
        "push": basic(push),
        "pull": basic(access.pull_credentials()["password"]),
        "none": "",
        "another user": basic(push, "root"),
        "bearer": f"Bearer {push}",
        "garbage": "Basic \N{SNOWMAN}",
        "expired": basic(old),
        "another sandbox's": basic(foreign),
    }[kind]
    written: list[str] = []

    def write(repository: str, _reference: str, _content: bytes, _media_type: str) -> Answer:
        written.append(repository)
        return "201 Created", [], []

    client = RegistryClient(tmp_path / "none.sock")
    route = registry_route(ImageSource(ImageBuilder(tmp_path, client), client), write, access.right_of)
    environ = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/_slipway/registry/v2/app/manifests/1",
        "HTTP_AUTHORIZATION": authorization,
        "wsgi.input": io.BytesIO(),
    }
    assert route(environ)[0] == status
    assert written == (["app"] if kind == "push" else [])
    client.close()


def test_refuses_to_read_without_credentials(tmp_path: Path) -> None:
    client = RegistryClient(tmp_path / "none.sock")
    source = ImageSource(ImageBuilder(tmp_path, client), client)
    route = registry_route(source, lambda *_: None, RegistryAccess(SandboxPaths(tmp_path)).right_of)
    answer = route({"REQUEST_METHOD": "GET", "PATH_INFO": "/_slipway/registry/v2/library/nginx/manifests/1"})
    assert answer[0] == "401 Unauthorized"
    client.close()


@pytest.mark.parametrize(
    "name", ["library/nginx/manifests/../../../_catalog", "library/../app/manifests/1", "app/referrers/../_catalog"]
)
def test_refuses_a_name_that_leads_elsewhere_in_the_registry(tmp_path: Path, name: str) -> None:
    client = RegistryClient(tmp_path / "none.sock")
    access = RegistryAccess(SandboxPaths(tmp_path))
    route = registry_route(ImageSource(ImageBuilder(tmp_path, client), client), lambda *_: None, access.right_of)
    pull = basic(access.pull_credentials()["password"])
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/_slipway/registry/v2/{name}", "HTTP_AUTHORIZATION": pull}
    assert b"NAME_INVALID" in route(environ)[2][0]
    client.close()


@pytest.mark.parametrize(
    ("method", "path", "actions"),
    [
        ("GET", "app/manifests/1", ["BatchGetImage"]),
        ("HEAD", "app/manifests/1", ["BatchGetImage"]),
        ("PUT", "app/manifests/1", ["PutImage"]),
        ("GET", f"app/referrers/sha256:{'0' * 64}", ["BatchGetImage"]),
        ("GET", "app/tags/list", ["ListImages"]),
        ("POST", "app/blobs/uploads/", ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"]),
    ],
)
def test_caller_is_asked_for_the_rights_that_ecr_asks_for(
    tmp_path: Path, method: str, path: str, actions: list[str]
) -> None:
    asked: list[tuple[str, str, tuple[str, ...]]] = []

    def refuse(*question: Any) -> str:
        asked.append(question)
        return "not authorized to do this"

    access, client = RegistryAccess(SandboxPaths(tmp_path)), RegistryClient(tmp_path / "none.sock")
    source = ImageSource(ImageBuilder(tmp_path, client), client)
    route = registry_route(source, lambda *_: pytest.fail("written"), access.right_of, refuse)
    token, _ = access.token(datetime.now(UTC), push=True, caller="AKIA1")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": f"/_slipway/registry/v2/{path}",
        "HTTP_AUTHORIZATION": basic(token),
    }
    status, _, body = route(environ)
    assert (status, b"not authorized to do this" in body[0]) == ("403 Forbidden", True)
    assert asked == [("AKIA1", "app", tuple(actions))]
    client.close()


@pytest.mark.parametrize(("readable", "mounted"), [("other", True), ("", False)])
def test_layer_of_another_repository_is_taken_from_one_that_the_caller_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readable: str, mounted: bool
) -> None:
    begun: list[dict[str, str]] = []

    def begin_upload(_repository: str, **options: str) -> httpx.Response:
        begun.append(options)
        return httpx.Response(
            202, headers={"Location": "/v2/app/blobs/uploads/1", "Docker-Upload-Uuid": "1", "Range": "0-0"}
        )

    monkeypatch.setattr(routes, "world", lambda: SimpleNamespace(registry=SimpleNamespace(begin_upload=begin_upload)))
    access, client = RegistryAccess(SandboxPaths(tmp_path)), RegistryClient(tmp_path / "none.sock")
    source = ImageSource(ImageBuilder(tmp_path, client), client)
    route = registry_route(
        source, lambda *_: None, access.right_of, lambda _key, name, _actions: "" if name in {"app", readable} else "no"
    )
    token, _ = access.token(datetime.now(UTC), push=True, caller="AKIA1")
    digest = f"sha256:{'0' * 64}"
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/_slipway/registry/v2/app/blobs/uploads/",
        "QUERY_STRING": f"mount={digest}&from=other",
        "HTTP_AUTHORIZATION": basic(token),
    }
    status, headers, _ = route(environ)
    assert status == "202 Accepted"
    assert {"Location", "Docker-Upload-Uuid", "Range"} <= {*dict(headers)}
    assert begun == [{"mount": digest, "origin": "other"} if mounted else {}]
    client.close()
