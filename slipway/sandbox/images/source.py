"""Where an image comes from when a cluster or a build asks the mirror for it: the registry, its publisher, or a recipe.

The mirror is asked first, by containerd and by the Docker provider. What it does not have (404) they then ask the publisher's registry
for; so a stand-in is made only when that cannot be reached.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import httpx

from slipway.errors import SlipwayError
from slipway.log import get_logger
from slipway.sandbox.images.builder import ImageBuilder
from slipway.sandbox.images.oci import RegistryClient
from slipway.sandbox.images.recipes import RECIPES, find_recipe

PROBE_TIMEOUT_SECONDS = 2.0
PROBE_KEPT_SECONDS = 300.0
PUBLIC_REGISTRY_PROBE = "https://docker.io"

log = get_logger(__name__)


@dataclass(frozen=True)
class Reference:
    """`library/nginx` and `1.25`, as they stand in the mirror's address."""

    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """From `nginx`, `nginx:1.25`, `docker.io/library/nginx:1.25`; None for anything not of Docker Hub's library."""
        found = re.fullmatch(r"(?:docker\.io/)?(?:library/)?([a-z0-9][a-z0-9._-]*)(?::([\w][\w.-]*))?", text)
        return cls(f"library/{found[1]}", found[2] or "latest") if found else None


class ImageSource:
    """Answers for `library/*` manifests that the registry may lack."""

    def __init__(self, builder: ImageBuilder, registry: RegistryClient) -> None:
        self._builder = builder
        self._registry = registry
        self._public_seen: tuple[float, bool] = (0.0, False)

    def manifest(self, repository: str, reference: str) -> httpx.Response | None:
        """The manifest, made by a recipe when nothing else has it; None when there is none and no recipe either."""
        found = self._registry.manifest(repository, reference)
        if found is not None or reference.startswith("sha256:"):
            return found
        if not self.ensure(Reference(repository, reference)):
            return None
        return self._registry.manifest(repository, reference)

    def ensure(self, wanted: Reference) -> bool:
        """Have a stand-in in the registry; False when its publisher can be asked instead, or no recipe stands in for it."""
        recipe = find_recipe(wanted.repository.removeprefix("library/"), wanted.tag)
        if recipe is None:
            known = ", ".join(sorted(RECIPES))
            log.warning("no recipe stands in for this image", image=wanted.repository, tag=wanted.tag, recipes=known)
            return False
        if self._public_registry_answers():
            return False
        try:
            self._builder.ensure(recipe, wanted.tag)
        except SlipwayError:
            log.exception("stand-in image could not be made", image=wanted.repository, tag=wanted.tag)
            return False
        return True

    def _public_registry_answers(self) -> bool:
        asked, answered = self._public_seen
        if asked and time.monotonic() - asked < PROBE_KEPT_SECONDS:
            return answered
        try:
            status = httpx.get(PUBLIC_REGISTRY_PROBE, timeout=PROBE_TIMEOUT_SECONDS).status_code
            # It answers or redirects; anything else is a proxy's refusal.
            answered = status < 400
        except httpx.HTTPError:
            answered = False
        self._public_seen = (time.monotonic(), answered)
        return answered
