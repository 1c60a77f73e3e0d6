"""What refers to an image (OCI 1.1), as ECR lists it. The registry behind is older: its list is a tag, as the specification says."""

from __future__ import annotations

import json
import re
import threading
from typing import Any, cast

from slipway.sandbox.aws.answers import Answer, json_answer
from slipway.sandbox.images.oci import RegistryClient

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
TAG = re.compile(r"sha256-[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_writing = threading.Lock()


def subject_of(content: bytes) -> str | None:
    """The image that a manifest refers to; None for an image of its own."""
    manifest = _mapping(content)
    subject = manifest.get("subject")
    digest = cast("dict[str, Any]", subject).get("digest") if isinstance(subject, dict) else None
    return digest if isinstance(digest, str) and DIGEST.fullmatch(digest) else None


def list_referrer(registry: RegistryClient, repository: str, subject: str, digest: str, content: bytes) -> None:
    """Add a manifest that was just written to its subject's list."""
    manifest = _mapping(content)
    config = cast("dict[str, Any]", manifest.get("config") or {})
    entry: dict[str, Any] = {
        "mediaType": manifest.get("mediaType"),
        "digest": digest,
        "size": len(content),
        "artifactType": manifest.get("artifactType") or config.get("mediaType"),
        "annotations": manifest.get("annotations") or {},
    }
    with _writing:
        others = [each for each in _listed(registry, repository, subject) if each.get("digest") != digest]
        index = json.dumps(_index([*others, entry])).encode()
        registry.put_manifest(repository, subject.replace(":", "-"), index, INDEX_TYPE).raise_for_status()


def referrers(registry: RegistryClient, repository: str, subject: str) -> Answer:
    """GET /v2/<repository>/referrers/<digest>: an index, empty where nothing refers to it."""
    status, headers, body = json_answer(_index(_listed(registry, repository, subject)))
    return status, [("Content-Type", INDEX_TYPE), *headers[1:]], body


def _listed(registry: RegistryClient, repository: str, subject: str) -> list[dict[str, Any]]:
    found = registry.manifest(repository, subject.replace(":", "-"))
    return list(_mapping(found.content).get("manifests") or []) if found is not None else []


def _index(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}


def _mapping(content: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
