"""Property values as a provider sees them.

A property map is a plain `dict[str, Value]`; a `Value` is `None`, `bool`, `int | float`, `str`, `list[Value]`, `dict[str, Value]` or one of
the marker classes below. Markers are frozen: a call never changes the inputs it was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, cast

Value: TypeAlias = Any
"""One property value. `Any`, because a recursive alias costs readers and the type checker more than it finds."""

PropertyMap: TypeAlias = dict[str, Value]


class _Unknown:
    """The one value not known yet (preview only). Compare with `is UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value has no truth; test it with `is UNKNOWN` first")

    def __deepcopy__(self, memo: object) -> _Unknown:
        return self

    def __copy__(self) -> _Unknown:
        return self


UNKNOWN = _Unknown()


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value that never appears in plain text outside provider calls and the program."""

    value: Value

    def __repr__(self) -> str:
        return "Secret([secret])"  # a traceback or a log line must not tell it


class _Content:
    """What an asset or archive is made of."""

    __slots__ = ()

    @property
    def fields(self) -> dict[str, Any]:
        """What is given. Text "" is a legal content; an empty path, URI or hash is none."""
        found = {field.name: getattr(self, field.name) for field in fields(cast("Any", self))}
        return {name: item for name, item in found.items() if item is not None and (item or name in {"text", "assets"})}


@dataclass(frozen=True, slots=True)
class Asset(_Content):
    """A blob: at most one of `text`, `path`, `uri`, and the hex sha256 of its content. With the hash alone the content did not change."""

    text: str | None = None
    path: str | None = None
    uri: str | None = None
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Archive(_Content):
    """A tree of assets: at most one of `assets`, `path`, `uri`, and the hex sha256 of its content."""

    assets: Mapping[str, Asset | Archive] | None = None
    path: str | None = None
    uri: str | None = None
    hash: str = ""


def unwrap_secrets(value: Value) -> Value:
    """`value` with every secret marker removed, at any depth."""
    if isinstance(value, Secret):
        return unwrap_secrets(value.value)
    if isinstance(value, list):
        return [unwrap_secrets(item) for item in cast("list[Value]", value)]
    if isinstance(value, dict):
        return {key: unwrap_secrets(item) for key, item in cast("PropertyMap", value).items()}
    return value


def contains_unknown(value: Value) -> bool:
    """Whether any part of `value` is not known yet."""
    return any(part is UNKNOWN for part in walk(value))


def contains_secret(value: Value) -> bool:
    """Whether any part of `value` is marked secret."""
    return any(isinstance(part, Secret) for part in walk(value))


def walk(value: Value) -> Iterator[Value]:
    """Every part of `value`, itself first, markers included."""
    yield value
    if isinstance(value, Secret):
        yield from walk(value.value)
    elif isinstance(value, list):
        for item in cast("list[Value]", value):
            yield from walk(item)
    elif isinstance(value, dict):
        for item in cast("PropertyMap", value).values():
            yield from walk(item)
