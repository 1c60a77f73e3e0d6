"""What each stand-in is made of: Debian's packages and a few lines that give it the public image's paths and defaults."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

DEBIAN_SUITE = "bookworm"
STAND_IN_LABEL = "dev.slipway.stand-in"
VERSION_LABEL = "dev.slipway.version"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One image that can be made without any image registry."""

    name: str
    """As in `docker.io/library/<name>`."""
    tags: str = ".*"
    """Regular expression of the tags it may stand in for. Where the version decides what runs, only that version."""
    parent: str = ""
    """Name of the recipe whose layers lie below; empty for Debian itself (and for `scratch`)."""
    scratch: bool = False
    """Keep only the files that the script puts under /out."""
    packages: tuple[str, ...] = ()
    """Debian packages installed on top."""
    script: str = ""
    """File beside this module: shell that runs inside the image after its packages are installed."""
    version_of: str = ""
    """Package whose version goes into the image's label."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    working_directory: str = ""
    stop_signal: str = ""

    def accepts(self, tag: str) -> bool:
        """Whether the recipe may stand in for this tag."""
        return re.fullmatch(self.tags, tag) is not None

    def script_text(self) -> str:
        """The shell script, or nothing."""
        return (resources.files("slipway.sandbox.images") / "scripts" / self.script).read_text() if self.script else ""

    def key(self, extra: str) -> str:
        """Hash of all that decides the content; `extra` holds what the machine adds (its CA certificates)."""
        parent = RECIPES[self.parent].key(extra) if self.parent else DEBIAN_SUITE
        facts = [self.name, self.scratch, self.packages, self.script_text(), parent, extra]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


_TRUST = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt"}
"""pip and Python trust what this machine trusts, so that installs in builds work behind an inspecting proxy."""

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="debian",
            tags=r"(latest|stable|bookworm|12(\.\d+)?)(-\d+)?(-slim)?",
            version_of="base-files",
            cmd=("bash",),
        ),
        Recipe(
            name="python",
            tags=r"(latest|slim|3(\.11(\.\d+)?)?(-slim)?(-bookworm)?|slim-bookworm|bookworm)",
            parent="debian",
            packages=("python3.11", "python3.11-venv", "python3-pip", "netbase"),
            script="python.sh",
            version_of="python3.11",
            env={"LANG": "C.UTF-8"} | _TRUST,
            cmd=("python3",),
        ),
        Recipe(
            name="nginx",
            parent="debian",
            packages=("nginx-light", "gettext-base", "curl"),
            script="nginx.sh",
            version_of="nginx-light",
            entrypoint=("/docker-entrypoint.sh",),
            cmd=("nginx", "-g", "daemon off;"),
            ports=(80,),
            stop_signal="SIGQUIT",
        ),
        Recipe(
            name="redis",
            parent="debian",
            packages=("redis-server",),
            script="redis.sh",
            version_of="redis-server",
            entrypoint=("docker-entrypoint.sh",),
            cmd=("redis-server",),
            ports=(6379,),
            working_directory="/data",
        ),
        Recipe(
            name="busybox",
            parent="debian",
            scratch=True,
            packages=("busybox-static",),
            script="busybox.sh",
            version_of="busybox-static",
            cmd=("sh",),
        ),
    )
}


def find_recipe(repository: str, tag: str) -> Recipe | None:
    """The recipe that may stand in for `docker.io/library/<repository>:<tag>`; None when there is none."""
    recipe = RECIPES.get(repository)
    return recipe if recipe is not None and recipe.accepts(tag) else None
