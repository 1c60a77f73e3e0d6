"""The difference between what was applied, what lives, and what is wanted now."""

from __future__ import annotations

from typing import Any, cast

from slipway.engine.provider import DiffKind, PropertyDiff
from slipway.engine.values import UNKNOWN
from slipway.sandbox.providers.kubernetes.normal_form import same_value
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject
from slipway.sandbox.providers.kubernetes.replacement import Path, forces_replacement

_REPLACING = {
    DiffKind.ADD: DiffKind.ADD_REPLACE,
    DiffKind.DELETE: DiffKind.DELETE_REPLACE,
    DiffKind.UPDATE: DiffKind.UPDATE_REPLACE,
}


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


class Comparison:
    """Compares the live object, reduced to the inputs that were applied, with the new inputs."""

    def __init__(self, force_new: tuple[tuple[str, ...], ...]) -> None:
        self._force_new = force_new
        self.found: dict[Path, PropertyDiff] = {}

    def run(
        self, live: KubernetesObject, applied: KubernetesObject, wanted: KubernetesObject
    ) -> dict[Path, PropertyDiff]:
        """Every changed path. `live` must be pruned to the shape of `applied`."""
        self.found = {}
        self._value((), live, applied, wanted)
        return self.found

    def _value(self, path: Path, live: Any, applied: Any, wanted: Any) -> None:
        if isinstance(live, dict) and isinstance(wanted, dict):
            self._fields(path, cast("dict[str, Any]", live), applied, cast("dict[str, Any]", wanted))
        elif isinstance(live, list) and isinstance(wanted, list):
            self._items(path, cast("list[Any]", live), applied, cast("list[Any]", wanted))
        elif wanted is UNKNOWN:
            self._record(path, DiffKind.ADD if live is MISSING else DiffKind.UPDATE, live, wanted)
        elif wanted is MISSING or wanted is None:
            # Never applied by us, so not ours to take away.
            if live is not MISSING and applied is not MISSING:
                self._record(path, DiffKind.DELETE, live, wanted)
        elif live is MISSING:
            # The server drops many empty values; one that was applied before and is not there now is such a one.
            if not (_is_hollow(wanted) and applied == wanted):
                self._record(path, DiffKind.ADD, live, wanted)
        elif not same_value(path, live, wanted):
            self._record(path, DiffKind.UPDATE, live, wanted)

    def _fields(self, path: Path, live: dict[str, Any], applied: Any, wanted: dict[str, Any]) -> None:
        before = cast("dict[str, Any]", applied) if isinstance(applied, dict) else {}
        for key in [*wanted, *(key for key in live if key not in wanted)]:
            self._value((*path, key), live.get(key, MISSING), before.get(key, MISSING), wanted.get(key, MISSING))

    def _items(self, path: Path, live: list[Any], applied: Any, wanted: list[Any]) -> None:
        before = cast("list[Any]", applied) if isinstance(applied, list) else []

        def at(items: list[Any], index: int) -> Any:
            return items[index] if index < len(items) else MISSING

        for index in range(max(len(live), len(wanted))):
            self._value((*path, index), at(live, index), at(before, index), at(wanted, index))

    def _record(self, path: Path, kind: DiffKind, live: Any, wanted: Any) -> None:
        if forces_replacement(path, (live, wanted), self._force_new):
            kind = _REPLACING[kind]
        self.found[path] = PropertyDiff(kind=kind)


def _is_hollow(value: Any) -> bool:
    """Nothing, zero or false, or a mapping of nothing else."""
    if isinstance(value, dict):
        return all(_is_hollow(item) for item in cast("dict[str, Any]", value).values())
    return value is not UNKNOWN and not value


def path_text(path: Path) -> str:
    """`spec.ports[0].port`, `metadata.labels["app.kubernetes.io/name"]`: paths as Pulumi writes them."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif any(character in part for character in '."[]'):
            quoted = part.replace('"', '\\"')
            text += f'["{quoted}"]'
        else:
            text += f".{part}" if text else part
    return text
