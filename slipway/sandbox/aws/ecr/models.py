"""ECR repositories over the real registry: what images there are is asked of the registry, never remembered alone.

Repositories of all accounts and regions share one registry, in which a name means the same images: it is taken once.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, cast

import httpx
from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends

from slipway.sandbox.aws.answers import Answer, manifest_error, passed_on
from slipway.sandbox.aws.ecr.referrers import TAG, list_referrer, subject_of
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.world import world
from slipway.sandbox.images.oci import MANIFEST_TYPE, RegistryClient
from slipway.sandbox.registry import REGISTRY_ADDRESS


class RegistryImage(Image):
    """An image as the registry has it."""

    def get_image_size_in_bytes(self) -> int | None:
        """Sum of the compressed layers and the configuration, as ECR counts."""
        manifest = json.loads(self.image_manifest)
        parts = [*manifest.get("layers", []), manifest.get("config", {})]
        return sum(int(part.get("size", 0)) for part in parts) or None


class RegistryBackend(ECRBackend):
    """moto's ECR with the registry behind it. Without a registry in the world it is moto's."""

    def create_repository(self, repository_name: str, *args: Any, **kwargs: Any) -> Repository:
        """A repository whose URI leads to the registry; the first push makes it there."""
        if world().registry is not None:
            _refuse_name_of_others(repository_name, self)
        repository = super().create_repository(repository_name, *args, **kwargs)
        if world().registry is not None:
            repository.uri = f"{REGISTRY_ADDRESS}/{repository.name}"
        return repository

    def delete_repository(
        self, repository_name: str, registry_id: str | None = None, force: bool = False
    ) -> Repository:
        """Remove the repository with its images; not while it has any, unless forced."""
        registry = world().registry
        if registry is not None and repository_name in self.repositories:
            self._look(registry, self.repositories[repository_name])
        repository = super().delete_repository(repository_name, registry_id, force)
        if registry is not None:
            for image in repository.images:
                registry.delete_manifest(repository_name, image.image_digest)
        return repository

    def list_images(self, repository_name: str, *args: Any, **kwargs: Any) -> list[Image]:
        """What the registry has."""
        self._look_if_real(repository_name)
        return super().list_images(repository_name, *args, **kwargs)

    def describe_images(self, repository_name: str, *args: Any, **kwargs: Any) -> Iterable[Image]:
        """What the registry has."""
        self._look_if_real(repository_name)
        return super().describe_images(repository_name, *args, **kwargs)

    def batch_get_image(self, repository_name: str, *args: Any, **kwargs: Any) -> Any:
        """Manifests from the registry."""
        self._look_if_real(repository_name)
        return super().batch_get_image(repository_name, *args, **kwargs)

    def batch_delete_image(self, repository_name: str, *args: Any, **kwargs: Any) -> Any:
        """Remove images, or tags of images, from the registry."""
        registry = world().registry
        if registry is None or repository_name not in self.repositories:
            return super().batch_delete_image(repository_name, *args, **kwargs)
        repository = self.repositories[repository_name]
        self._look(registry, repository)
        before = {image.image_digest: (image, list(image.image_tags)) for image in repository.images}
        answer = super().batch_delete_image(repository_name, *args, **kwargs)
        left = {image.image_digest: list(image.image_tags) for image in repository.images}
        for digest, (image, tags) in before.items():
            remaining = left.get(digest)
            if remaining is None:
                registry.delete_manifest(repository_name, digest)
            elif set(remaining) != set(tags):
                _retag(registry, repository_name, image, remaining)
        return answer

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Image:
        """Write a manifest; its layers must be in the registry (as when an image gets another tag)."""
        registry = world().registry
        if registry is not None:
            self._look_if_real(repository_name)
        image = super().put_image(repository_name, image_manifest, image_tag, image_manifest_mediatype, digest)
        if registry is not None:
            reference = image_tag or _digest(image_manifest.encode())
            kind = image_manifest_mediatype or json.loads(image_manifest).get("mediaType") or MANIFEST_TYPE
            response = registry.put_manifest(repository_name, reference, image_manifest.encode(), kind)
            if response.is_error:
                self.repositories[repository_name].images.remove(image)
                raise InvalidParameterException(f"The registry refused the manifest: {response.text[:300]}")
            self._look_if_real(repository_name)
        return image

    def _look_if_real(self, repository_name: str) -> None:
        registry = world().registry
        if registry is not None and repository_name in self.repositories:
            self._look(registry, self.repositories[repository_name])

    def _look(self, registry: RegistryClient, repository: Repository) -> None:
        """Make moto's list of images what the registry has; images seen before keep their time of push."""
        known = {image.image_digest: image for image in repository.images}
        tags: dict[str, list[str]] = {}
        found: dict[str, httpx.Response] = {}
        for tag in registry.tags(repository.name):
            if TAG.fullmatch(tag):
                continue  # a list of referrers, which ECR keeps elsewhere
            response = registry.manifest(repository.name, tag)
            if response is not None:
                digest = response.headers.get("Docker-Content-Digest") or _digest(response.content)
                tags.setdefault(digest, []).append(tag)
                found[digest] = response
        for digest in known.keys() - found.keys():
            response = registry.manifest(repository.name, digest)
            if response is not None:
                found[digest] = response
        images: list[Image] = []
        for digest, response in found.items():
            image = known.get(digest) or self._image(repository, digest, response)
            image.image_tags = sorted(tags.get(digest, []))
            image.image_tag = cast(str, image.image_tags[-1] if image.image_tags else None)
            images.append(image)
        repository.images = images

    def _image(self, repository: Repository, digest: str, response: httpx.Response) -> Image:
        kind = response.headers.get("Content-Type", MANIFEST_TYPE)
        image: Any = RegistryImage(
            self.account_id, "", response.text, repository.name, kind, digest, repository.registry_id
        )
        return image


def write_manifest(repository_name: str, reference: str, content: bytes, media_type: str) -> Answer | None:
    """A push's last step: refuse to move a tag of an immutable repository, else pass it on to the registry."""
    registry = world().registry
    if registry is None:
        return None
    with API_LOCK:
        repository = _find_repository(repository_name)
        immutable = repository is not None and _is_immutable(repository, reference)
    if immutable:
        present = registry.manifest(repository_name, reference)
        if present is not None and present.headers.get("Docker-Content-Digest") != _digest(content):
            message = (
                f"The image tag '{reference}' already exists in the '{repository_name}' repository "
                "and cannot be overwritten because the tag is immutable."
            )
            return manifest_error("400 Bad Request", "TAG_INVALID", message)
    response = registry.put_manifest(repository_name, reference, content, media_type)
    if repository is not None and not response.is_error:
        with API_LOCK:
            backend = ecr_backends[repository.account_id][repository.region_name]
            if isinstance(backend, RegistryBackend):
                backend._look(registry, repository)
            world().save("ecr")
    status, headers, body = passed_on(response)
    subject = None if response.is_error else subject_of(content)
    if subject:
        list_referrer(registry, repository_name, subject, _digest(content), content)
        headers.append(("OCI-Subject", subject))
    return status, headers, body


def _find_repository(name: str) -> Repository | None:
    backends: list[Any] = [backend for _, _, backend in list(ecr_backends.iter_backends())]
    for backend in backends:
        if name in backend.repositories:
            return backend.repositories[name]
    return None


def _is_immutable(repository: Repository, reference: str) -> bool:
    if reference.startswith("sha256:"):
        return False
    mutability = str(getattr(repository.image_tag_mutability, "value", repository.image_tag_mutability))
    filters = [str(each["filter"]) for each in repository.image_tag_mutability_exclusion_filters or []]
    excluded = any(fnmatchcase(reference, pattern) for pattern in filters)
    return {
        "IMMUTABLE": True,
        "IMMUTABLE_WITH_EXCLUSION": not excluded,
        "MUTABLE_WITH_EXCLUSION": excluded,
    }.get(mutability, False)


def _refuse_name_of_others(name: str, backend: RegistryBackend) -> None:
    """Whoever made a repository of the same name would read, move and delete what is in the registry for another one."""
    others: list[tuple[str, str, Any]] = list(ecr_backends.iter_backends())
    for account, region, other in others:
        if other is not backend and name in other.repositories:
            where = f"account {account}, {region}"
            raise InvalidParameterException(
                f"The sandbox has a repository named {name} in {where}; names are one for all accounts and regions here."
            )


def _retag(registry: RegistryClient, repository_name: str, image: Image, tags: list[str]) -> None:
    """The registry cannot remove one tag of several: remove the image and write it again under those that stay."""
    registry.delete_manifest(repository_name, image.image_digest)
    kind = image.image_manifest_media_type or MANIFEST_TYPE
    for reference in tags or [image.image_digest]:
        registry.put_manifest(repository_name, reference, image.image_manifest.encode(), kind)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
