"""Loads the program's own modules as they are on disk now, however fast an edit and a run follow each other.

Python takes bytecode for current when its source's size and the whole second of its last change are the same: an edit that keeps both goes
unseen. Inside the project, bytecode is kept by the hash of its source instead (PEP 552), which every Python reads. What is installed there
(site-packages) and everything outside it is loaded as usual.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Generator
from importlib import machinery
from pathlib import Path
from typing import Any

_FLAGS = slice(4, 8)
_BY_HASH = (0b11).to_bytes(4, "little")
"""Bytecode's flags: valid by its source's hash, which is to be compared."""
_HEADER_BYTES = 16


@contextlib.contextmanager
def fresh_imports(root: Path) -> Generator[None]:
    """Inside the block, modules below `root` are never older than their source. Those loaded already are left as they are."""
    find = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (_Loader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def hook(entry: str) -> Any:
        if not _is_own(entry, root):
            raise ImportError
        return find(entry)

    _forget_finders(root)
    sys.path_hooks.insert(0, hook)
    try:
        yield
    finally:
        sys.path_hooks.remove(hook)
        _forget_finders(root)


class _Loader(machinery.SourceFileLoader):
    _source = b""

    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        if path == self.path:
            self._source = data
        elif data[_FLAGS] != _BY_HASH:
            raise OSError("knows only when its source was changed")  # as if there were none: it is written anew
        return data

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Called with new bytecode, whose header has the source's time and size."""
        by_hash = data[: _FLAGS.start] + _BY_HASH + importlib.util.source_hash(self._source) + data[_HEADER_BYTES:]
        super().set_data(path, by_hash, _mode=_mode)


def _is_own(entry: str, root: Path) -> bool:
    path = Path(os.path.abspath(entry))  # noqa: PTH100 - resolve() would follow links out of the project
    return path.is_relative_to(root) and "site-packages" not in path.parts


def _forget_finders(root: Path) -> None:
    for entry in list(sys.path_importer_cache):
        if _is_own(entry, root):
            sys.path_importer_cache.pop(entry, None)
