"""Makes stand-in images: each recipe's layer is built once, kept in the cache by the recipe's hash, and pushed on demand."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from slipway.errors import MachineError
from slipway.log import get_logger
from slipway.sandbox.images.oci import RegistryClient, image_configuration
from slipway.sandbox.images.recipes import DEBIAN_SUITE, RECIPES, Recipe
from slipway.sandbox.images.rootfs import (
    HOST_CERTIFICATES,
    UNPACKED_PREFIX,
    Layer,
    bootstrap_debian,
    install_packages,
    unpacked,
    write_layer,
)

BUILD_PREFIX = "build-"
NEEDED_FREE_BYTES = 2 << 30

log = get_logger(__name__)


class ImageBuilder:
    """Builds layers into a cache folder and pushes images to one registry."""

    def __init__(self, cache: Path, registry: RegistryClient, progress: Callable[[str], None] = log.info) -> None:
        """`cache` survives the sandbox's reset; `progress` is told of every build, with its seconds."""
        self._cache = cache
        self._registry = registry
        self._progress = progress
        self._building = threading.Lock()

    def ensure(self, recipe: Recipe, tag: str) -> str:
        """Have `library/<recipe>:<tag>` in the registry; its digest. Builds what the cache lacks (a minute for Debian)."""
        with self._building, self._alone():
            layers = self._layers(recipe)
            return self._registry.push(f"library/{recipe.name}", tag, image_configuration(recipe, layers), layers)

    @contextmanager
    def _alone(self) -> Generator[None]:
        """One builder at a time, over all processes; what a builder that was killed left behind is removed."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for pattern in (f"{BUILD_PREFIX}*", f"{UNPACKED_PREFIX}*"):
                for folder in self._cache.glob(pattern):
                    shutil.rmtree(folder, ignore_errors=True)
            yield

    def _layers(self, recipe: Recipe) -> list[Layer]:
        below = [] if recipe.scratch or not recipe.parent else self._layers(RECIPES[recipe.parent])
        return [*below, self._cached(recipe) or self._build(recipe)]

    def _cached(self, recipe: Recipe) -> Layer | None:
        record, archive = self._files(recipe)
        try:
            layer = Layer(**json.loads(record.read_text()) | {"path": str(archive)})
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return layer if archive.exists() and archive.stat().st_size == layer.size_bytes else None

    def _build(self, recipe: Recipe) -> Layer:
        if shutil.disk_usage(self._cache).free < NEEDED_FREE_BYTES:
            raise MachineError(
                f"building the {recipe.name} image needs 2 GiB of free disk",
                where=str(self._cache),
                remedy="free some, or set SLIPWAY_HOME to a larger disk",
            )
        self._progress(f"making the stand-in image {recipe.name} from Debian's packages (once; kept in the cache)")
        started = time.monotonic()
        record, archive = self._files(recipe)
        with (
            TemporaryDirectory(dir=self._cache, prefix=BUILD_PREFIX) as folder,
            archive.with_suffix(".log").open("wb") as build_log,
        ):
            if recipe.parent:
                with unpacked(self._layers(RECIPES[recipe.parent]), self._cache) as lower:
                    version = install_packages(
                        lower,
                        Path(folder),
                        packages=recipe.packages,
                        script=recipe.script_text(),
                        version_of=recipe.version_of,
                        log=build_log,
                    )
                tree = Path(folder) / "upper" / "out" if recipe.scratch else Path(folder) / "upper"
            else:
                tree = Path(folder) / "root"
                version = bootstrap_debian(DEBIAN_SUITE, tree, build_log)
            layer = write_layer(tree, archive, version)
        record.write_text(json.dumps(layer.facts()))
        self._progress(f"made the image {recipe.name} {version} in {time.monotonic() - started:.0f} s")
        return layer

    def _files(self, recipe: Recipe) -> tuple[Path, Path]:
        name = f"{recipe.name}-{recipe.key(_certificates_hash())}"
        return self._cache / f"{name}.json", self._cache / f"{name}.tar.gz"


def _certificates_hash() -> str:
    return hashlib.sha256(HOST_CERTIFICATES.read_bytes()).hexdigest()
