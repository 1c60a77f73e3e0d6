"""A `file://` backend, and what a killed CLI leaves in it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import unquote, urlsplit


def backend_folder(url: str) -> Path | None:
    """The `.pulumi` of a `file://` backend; None for another, into which only the CLI can look."""
    parts = urlsplit(url)
    return Path(unquote(parts.netloc + parts.path)).expanduser() / ".pulumi" if parts.scheme == "file" else None


def remove_torn_sidecars(url: str) -> None:
    """Remove the empty `.attrs` beside a state: the CLI takes it for a broken state and says "failed to load checkpoint: EOF".

    It creates this file and then writes it; a killed one comes no further. To miss it is fine: it holds the content type alone.
    Source: setAttrs and getAttrs of gocloud.dev/blob/fileblob.
    """
    folder = backend_folder(url)
    for sidecar in (folder / "stacks").rglob("*.attrs") if folder else ():
        with contextlib.suppress(FileNotFoundError):  # another CLI has removed its stack
            if sidecar.stat().st_size == 0:
                sidecar.unlink()
