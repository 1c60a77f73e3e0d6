"""The Docker SDK's own rules for contexts and tags (`docker.utils.build`), without its client.

Whether an image has changed is asked in every preview, and the packages above that module import the client and an HTTP library on the way:
0.2 s. So the module is loaded under packages of our own that have the SDK's folders and run nothing of them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

_PACKAGE = f"{__name__}_docker"


def _load() -> Any:
    spec = importlib.util.find_spec("docker")
    if spec is None or spec.origin is None:
        raise ImportError("the package docker is not installed")
    folder = Path(spec.origin).parent
    for name, place in ((_PACKAGE, folder), (f"{_PACKAGE}.utils", folder / "utils")):
        package = ModuleType(name)
        package.__path__ = [str(place)]
        sys.modules[name] = package
    return importlib.import_module(f"{_PACKAGE}.utils.build")


_build = _load()

exclude_paths: Callable[..., set[str]] = _build.exclude_paths
tar: Callable[..., IO[bytes]] = _build.tar
match_tag: Callable[[str], bool] = _build.match_tag
