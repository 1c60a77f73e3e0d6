"""The build context: what of a folder goes into a build, its digest, and the archive the engine is sent."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from slipway.providers.provider import Caller
from slipway.sandbox.providers.docker.rules import exclude_paths, tar

DIGEST_CHUNK_BYTES = 1 << 20


class ContextError(Exception):
    """A folder or a Dockerfile that cannot be built from; `property` is the input to blame."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.property = name


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """A folder and the Dockerfile to build it by; both absolute."""

    folder: Path
    dockerfile: Path

    @classmethod
    def find(cls, context: str, dockerfile: str, *, caller: Caller) -> BuildContext:
        """Resolve both against the program's folder, as the Docker CLI does; no `dockerfile`: the context's own."""
        if "://" in context or context.startswith("git@") or context == "-":
            raise ContextError("build.context", f"{context}: only a folder can be built, no remote context")
        folder = caller.path(context or ".")
        if not folder.is_dir():
            raise ContextError("build.context", f"{folder} is not a folder")
        file = caller.path(dockerfile) if dockerfile else folder / "Dockerfile"
        if not file.is_file():
            inside = folder / dockerfile if dockerfile else file
            hint = f"; it is relative to the program's folder, so try {inside}" if inside.is_file() else ""
            raise ContextError("build.dockerfile", f"there is no Dockerfile at {file}{hint}")
        return cls(folder=folder, dockerfile=file)

    @property
    def dockerfile_name(self) -> str:
        """The Dockerfile's path as the context knows it, or its full path when it lies elsewhere."""
        inside = self.dockerfile.is_relative_to(self.folder)
        return self.dockerfile.relative_to(self.folder).as_posix() if inside else str(self.dockerfile)

    def digest(self) -> str:
        """Hex sha256 over every path, kind, executable bit and byte that a build sees, and over the Dockerfile."""
        total = hashlib.sha256()
        total.update(_heading("dockerfile", b""))
        total.update(self.dockerfile.read_bytes())
        for name in self._files():
            path = self.folder / name
            if path.is_symlink():
                total.update(_heading(name, b"link " + os.fsencode(path.readlink())))
            elif path.is_dir():
                total.update(_heading(name, b"folder"))
            elif path.is_file():
                # The umask of a checkout decides the other bits: they would differ between machines.
                status = path.stat()
                facts = f"file {status.st_mode & 0o111 != 0} {status.st_size}"
                total.update(_heading(name, facts.encode()))
                with path.open("rb") as content:
                    while chunk := content.read(DIGEST_CHUNK_BYTES):
                        total.update(chunk)
        return total.hexdigest()

    def archive(self) -> tuple[IO[bytes], str]:
        """A tar file to send, to be closed by the caller, and the Dockerfile's name in it."""
        from docker.api.build import process_dockerfile  # noqa: PLC0415 - a preview builds nothing

        name, content = process_dockerfile(self.dockerfile_name, str(self.folder))
        return tar(self.folder, exclude=self._ignored(), dockerfile=(name, content), gzip=False), cast("str", name)

    def _files(self) -> list[str]:
        name = self.dockerfile_name if self.dockerfile.is_relative_to(self.folder) else None
        found = exclude_paths(str(self.folder), self._ignored(), dockerfile=name)
        return sorted(Path(each).as_posix() for each in found)

    def _ignored(self) -> list[str]:
        for file in (self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore"), self.folder / ".dockerignore"):
            if file.is_file():
                lines = (line.strip() for line in file.read_text().splitlines())
                return [line for line in lines if line and not line.startswith("#")]
        return []


def _heading(name: str, facts: bytes) -> bytes:
    return b"\0" + os.fsencode(name) + b"\0" + facts + b"\0"
