"""Property values as the engine sees them, between the wire and the state file.

A property map is a plain `dict[str, Value]`; a `Value` is `None`, `bool`, `int | float`, `str`, `list[Value]`, `dict[str, Value]` or one of
the marker classes below. Markers are frozen: a step never changes the inputs it was given.
Source of every signature and sentinel: the Pulumi SDKs' wire format (`sdk/go/common/resource/properties.go`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

Value: TypeAlias = Any
"""One property value. `Any`, because a recursive alias costs readers and the type checker more than it finds."""

PropertyMap: TypeAlias = dict[str, Value]

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a wire format constant, no credential
ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
FLOAT_SIGNATURE = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"

UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_SENTINELS = frozenset(
    {
        UNKNOWN_SENTINEL,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


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


@dataclass(frozen=True, slots=True)
class Asset:
    """A blob: exactly one of `text`, `path`, `uri`, and the hex sha256 of its content."""

    text: str | None = None
    path: str | None = None
    uri: str | None = None
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """A tree of assets: exactly one of `assets`, `path`, `uri`, and the hex sha256 of its content."""

    assets: Mapping[str, Asset | Archive] | None = None
    path: str | None = None
    uri: str | None = None
    hash: str = ""


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """A reference to a registered resource; `id` is None for components, "" or UNKNOWN while not known."""

    urn: str
    id: Value = None
    package_version: str = ""


@dataclass(frozen=True, slots=True)
class OutputValue:
    """An output with its dependencies, as remote components exchange them; never reaches the state file."""

    value: Value = UNKNOWN
    secret: bool = False
    dependencies: tuple[str, ...] = field(default=())


def unwrap_secrets(value: Value) -> Value:
    """`value` with every secret marker removed, at any depth."""
    if isinstance(value, Secret):
        return unwrap_secrets(value.value)
    if isinstance(value, OutputValue):
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
    return any(isinstance(part, Secret) or (isinstance(part, OutputValue) and part.secret) for part in walk(value))


def walk(value: Value) -> Iterator[Value]:
    """Every part of `value`, itself first, markers included."""
    yield value
    if isinstance(value, (Secret, OutputValue)):
        yield from walk(value.value)
    elif isinstance(value, list):
        for item in cast("list[Value]", value):
            yield from walk(item)
    elif isinstance(value, dict):
        for item in cast("PropertyMap", value).values():
            yield from walk(item)
