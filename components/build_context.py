"""The content of an image's build context, as one short hash."""

import fnmatch
import hashlib
from pathlib import Path

from .errors import ArgsError

TAG_DIGITS = 12
"""48 bits: among a million images the chance of any two sharing a tag is below 1 in 500."""


def hash_context(context: Path, dockerfile: str = "Dockerfile", *, base_image: str = "", platform: str = "") -> str:
    """The hex sha256 (first 12 digits) of all that a build would see: path, mode and bytes of each file, each link, and the arguments.

    Raises ArgsError when the folder or its Dockerfile is missing.
    """
    if not (context / dockerfile).is_file():
        raise ArgsError("context", got=str(context), want=f"a folder with a {dockerfile} in it")
    ignored = _ignore_patterns(context)
    total = hashlib.sha256((context / dockerfile).read_bytes() + base_image.encode() + platform.encode())
    for path in sorted(context.rglob("*")):
        relative = path.relative_to(context).as_posix()
        if any(_matches(relative, pattern) for pattern in ignored):
            continue
        if path.is_symlink():  # Docker sends the link itself
            total.update(f"\0{relative}\0-> {path.readlink()}\0".encode())
        elif path.is_file():
            total.update(f"\0{relative}\0{path.stat().st_mode & 0o111:o}\0".encode())
            total.update(path.read_bytes())
    return total.hexdigest()[:TAG_DIGITS]


def _ignore_patterns(context: Path) -> list[str]:
    file = context / ".dockerignore"
    lines = file.read_text().splitlines() if file.is_file() else []
    patterns = [line.strip().removeprefix("/") for line in lines]
    if negated := [pattern for pattern in patterns if pattern.startswith("!")]:
        raise ArgsError(".dockerignore", got=negated[0], want="no exceptions (`!`): name what is left out instead")
    return [pattern for pattern in patterns if pattern and not pattern.startswith("#")]


def _matches(relative: str, pattern: str) -> bool:
    """Docker's own rule, for the patterns allowed here: a match of the path or of any folder above it."""
    parts = relative.split("/")
    prefixes = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(part, pattern[3:]) for part in parts)
    return any(fnmatch.fnmatchcase(prefix, pattern) for prefix in prefixes)
