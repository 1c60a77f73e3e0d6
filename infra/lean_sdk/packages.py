"""Makes the import of Pulumi's provider SDKs cost what a program uses of them.

The `__init__.py` of a generated package is a list of `from .vpc import *`, one per resource: to name `aws.ec2.Vpc` is to load 400 modules.
While a program runs, such a package is loaded without that list; a name is looked up in the modules' own `__all__`, and the module that
has it is loaded when the name is first used. Whatever is not of that shape is loaded as usual. So it is inside the modules of types: see
`types`.
Measured 2026-11, the import of this repository's program, CPU: 0.9 s, with both 0.3 s.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import sys
from collections.abc import Generator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from infra.lean_sdk.types import HEAD_BYTES, TYPES_MODULES, TypesLoader, is_generated

_PREFIX = "pulumi_"
_LARGEST_BYTES = 65_536
"""The root of pulumi_aws is 350 kB of registrations and has few resources of its own: its bytecode loads faster than its text is parsed."""
_ALL = re.compile(rb"^__all__ = \[(.*?)\]", re.DOTALL | re.MULTILINE)
_NAME = re.compile(rb"""['"](\w+)['"]""")
_LAZY_NAMES = "__lazy_names__"
_LAZY_MODULES = "__lazy_modules__"


@contextlib.contextmanager
def lean_sdk_imports() -> Generator[None]:
    """Inside the block, generated packages load what is used of them. Those loaded before, and after, are left as they are."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return spec
        if spec.submodule_search_locations:
            spec.loader = _Loader(spec.loader)
        elif fullname.rpartition(".")[2] in TYPES_MODULES:
            spec.loader = TypesLoader(spec.loader)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, usual: SourceFileLoader) -> None:
        super().__init__(usual.name, usual.path)
        self._usual = usual

    def exec_module(self, module: ModuleType) -> None:
        package = _read_package(Path(self.path))
        if package is None:
            self._usual.exec_module(module)
            return
        code, names, modules = package
        module.__dict__[_LAZY_NAMES], module.__dict__[_LAZY_MODULES] = names, modules
        module.__class__ = _LeanPackage
        exec(code, module.__dict__)  # noqa: S102 - what an import does
        public = [name for name in module.__dict__ if not name.startswith("_")]
        module.__dict__["__all__"] = list(dict.fromkeys([*public, *modules, *names]))


class _LeanPackage(ModuleType):
    """A package whose names come when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        owner = self.__dict__[_LAZY_NAMES].get(name)
        if owner is not None:
            value = getattr(importlib.import_module(f"{self.__name__}.{owner}"), name)
            self.__dict__[name] = value
            return value
        if name in self.__dict__[_LAZY_MODULES]:
            return importlib.import_module(f"{self.__name__}.{name}")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Called by the import system for a submodule: `from .vpc import *` at last, after which a function may hide its own module."""
        if not isinstance(value, ModuleType) or value.__name__ != f"{self.__name__}.{name}":
            super().__setattr__(name, value)
            return
        hidden = self.__dict__[_LAZY_NAMES].get(name) == name
        # At once: another thread must not see the module where the function is to be.
        self.__dict__[name] = getattr(value, name) if hidden else value

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self.__dict__["__all__"]})


def _read_package(path: Path) -> tuple[Any, dict[str, str], frozenset[str]] | None:
    """The package's own code, its names by the module that has them, and its modules; None: it is to be loaded as it is."""
    source = path.read_bytes()
    if not is_generated(source) or len(source) > _LARGEST_BYTES:
        return None
    tree = ast.parse(source, str(path))
    names: dict[str, str] = {}
    modules: set[str] = set()
    kept: list[ast.stmt] = []
    for statement in tree.body:
        if not (isinstance(statement, ast.ImportFrom) and statement.level == 1):
            kept.append(statement)
        elif statement.module is None:  # from . import outputs
            if any(alias.asname or alias.name.startswith("_") for alias in statement.names):
                kept.append(statement)
            else:
                modules |= {alias.name for alias in statement.names}
        else:  # from .vpc import *
            exported = _exports(path.with_name(f"{statement.module}.py"))
            if exported is None or [alias.name for alias in statement.names] != ["*"]:
                return None
            names |= dict.fromkeys(exported, statement.module)
            modules.add(statement.module)
    if not names:
        return None
    tree.body = kept
    return compile(tree, str(path), "exec", dont_inherit=True), names, frozenset(modules)


def _exports(path: Path) -> list[str] | None:
    try:
        with path.open("rb") as file:
            text = file.read(HEAD_BYTES)
            found = _ALL.search(text) or _ALL.search(text + file.read())
    except OSError:
        return None
    return [name.decode() for name in _NAME.findall(found[1])] if found else None
