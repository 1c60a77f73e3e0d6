"""Images in a registry: reads and writes manifests and blobs by the registry's HTTP API (distribution spec v2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from slipway.errors import OperationError
from slipway.sandbox.images.recipes import DEFAULT_PATH, STAND_IN_LABEL, VERSION_LABEL, Recipe
from slipway.sandbox.images.rootfs import Layer

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
MANIFEST_TYPES = (
    MANIFEST_TYPE,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
CREATED = "2023-06-10T00:00:00Z"
"""A fixed time (bookworm's release), so that the same content has the same digest."""


def image_configuration(recipe: Recipe, layers: Sequence[Layer]) -> dict[str, Any]:
    """The image's configuration: what runs, with which environment, made of which layers, and that it is a stand-in."""
    environment = {"PATH": DEFAULT_PATH} | dict(recipe.env)
    labels = {
        STAND_IN_LABEL: "true",
        VERSION_LABEL: layers[-1].version,
        "org.opencontainers.image.title": recipe.name,
        "org.opencontainers.image.version": layers[-1].version,
        "org.opencontainers.image.description": f"Stand-in for docker.io/library/{recipe.name}, made of Debian's packages",
    }
    run: dict[str, Any] = {
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "Cmd": list(recipe.cmd),
        "Labels": labels,
        "WorkingDir": recipe.working_directory,
    }
    if recipe.entrypoint:
        run["Entrypoint"] = list(recipe.entrypoint)
    if recipe.ports:
        run["ExposedPorts"] = {f"{port}/tcp": {} for port in recipe.ports}
    if recipe.stop_signal:
        run["StopSignal"] = recipe.stop_signal
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": CREATED,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": CREATED, "created_by": f"slipway stand-in {recipe.name}"} for _ in layers],
    }


class RegistryClient:
    """The registry behind a socket, which asks for no credentials."""

    def __init__(self, socket: Path) -> None:
        transport = httpx.HTTPTransport(uds=str(socket))
        self._http = httpx.Client(base_url="http://registry", transport=transport, timeout=60)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def manifest(self, repository: str, reference: str) -> httpx.Response | None:
        """The manifest of a tag or digest; None when there is none."""
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        response = self._http.get(f"/v2/{repository}/manifests/{reference}", headers=headers)
        return None if response.status_code == 404 else _checked(response)

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository; empty when it is not there."""
        response = self._http.get(f"/v2/{repository}/tags/list")
        if response.status_code == 404:
            return []
        return list(_checked(response).json().get("tags") or [])

    def list_tags(self, repository: str) -> httpx.Response:
        """The registry's own answer."""
        return self._http.get(f"/v2/{repository}/tags/list")

    def begin_upload(self, repository: str, *, mount: str = "", origin: str = "") -> httpx.Response:
        """The registry's own answer; with `mount` it takes that layer of the repository `origin` where it has it."""
        return self._http.post(
            f"/v2/{repository}/blobs/uploads/", params={"mount": mount, "from": origin} if mount else None
        )

    def delete_manifest(self, repository: str, digest: str) -> bool:
        """Remove an image with all its tags; False when it was not there."""
        response = self._http.delete(f"/v2/{repository}/manifests/{digest}")
        if response.status_code == 404:
            return False
        _checked(response)
        return True

    def put_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> httpx.Response:
        """Write a manifest under a tag or digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        return self._http.put(path, content=content, headers={"Content-Type": media_type})

    def push(self, repository: str, tag: str, configuration: Mapping[str, Any], layers: Sequence[Layer]) -> str:
        """Upload an image; its digest."""
        for layer in layers:
            self._upload(repository, layer.digest, Path(layer.path).read_bytes())
        config = json.dumps(configuration, sort_keys=True).encode()
        config_digest = _digest(config)
        self._upload(repository, config_digest, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": config_digest},
            "layers": [{"mediaType": LAYER_TYPE, "size": it.size_bytes, "digest": it.digest} for it in layers],
        }
        content = json.dumps(manifest, sort_keys=True).encode()
        _checked(self.put_manifest(repository, tag, content, MANIFEST_TYPE))
        return _digest(content)

    def _upload(self, repository: str, digest: str, content: bytes) -> None:
        if self._http.head(f"/v2/{repository}/blobs/{digest}").status_code == 200:
            return
        started = _checked(self._http.post(f"/v2/{repository}/blobs/uploads/"))
        target = httpx.URL(started.headers["Location"]).copy_merge_params({"digest": digest})
        _checked(self._http.put(target, content=content, headers={"Content-Type": "application/octet-stream"}))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise OperationError(
            f"the registry answered {response.status_code}: {response.text[:300]}", where=str(response.url)
        )
    return response
