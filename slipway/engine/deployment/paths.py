"""Property paths such as `tags.team`, `ingress[0].port`, `data["a.b"]` and `rules[*].cidr`.

The grammar is that of the SDKs (`sdk/go/common/resource/property_path.go`): `ignore_changes`, `replace_on_changes`, `hide_diffs` and the
keys of a provider's detailed diff are all written in it.
"""

from __future__ import annotations

# Values are `Any` by design (see `Value`), and narrowing `Any` with isinstance leaves the types of its parts unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from collections.abc import Callable, Sequence
from typing import Final

from slipway.engine.values import PropertyMap, Secret, Value

PathElement = str | int
Path = tuple[PathElement, ...]

WILDCARD: Final = "*"


class PathSyntaxError(ValueError):
    """A path that does not follow the grammar."""


def parse_path(text: str) -> Path:
    """Split a path into keys and indexes; raises `PathSyntaxError` on a malformed one."""
    elements: list[PathElement] = []
    rest = text
    if rest.startswith("."):
        raise PathSyntaxError(f"property path {text!r} starts with a dot")
    while rest:
        if rest[0] == ".":
            rest = rest[1:]
            if not rest or rest[0] in ".[":
                raise PathSyntaxError(f"property path {text!r} has an empty element")
        elif rest[0] == "[":
            element, rest = _bracketed(rest, text)
            elements.append(element)
        else:
            end = next((i for i, letter in enumerate(rest) if letter in ".["), len(rest))
            elements.append(rest[:end])
            rest = rest[end:]
    if not elements:
        raise PathSyntaxError("a property path must not be empty")
    return tuple(elements)


def _bracketed(rest: str, whole: str) -> tuple[PathElement, str]:
    if rest.startswith('["'):
        key: list[str] = []
        i = 2
        while i < len(rest) and rest[i] != '"':
            if rest[i] == "\\" and i + 1 < len(rest):
                i += 1
            key.append(rest[i])
            i += 1
        if rest[i : i + 2] != '"]':
            raise PathSyntaxError(f"property path {whole!r} lacks a closing quote and bracket")
        return "".join(key), rest[i + 2 :]
    inner, bracket, after = rest[1:].partition("]")
    if not bracket:
        raise PathSyntaxError(f"property path {whole!r} lacks a closing bracket")
    if inner == WILDCARD:
        return WILDCARD, after
    if not inner.isdigit():
        raise PathSyntaxError(
            f"property path {whole!r} has the index {inner!r}; only numbers, quoted keys and * are allowed"
        )
    return int(inner), after


def format_path(path: Sequence[PathElement]) -> str:
    """The text of a path, keys quoted only where they must be."""
    text = ""
    for element in path:
        if isinstance(element, int):
            text += f"[{element}]"
        elif element and not set(element) & set('.[]"'):
            text += f".{element}" if text else element
        else:
            escaped = element.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def path_contains(outer: Path, inner: Path) -> bool:
    """Whether `inner` names `outer` itself or a part of it; `*` stands for any one element."""
    return len(outer) <= len(inner) and all(
        mine in (WILDCARD, theirs) for mine, theirs in zip(outer, inner, strict=False)
    )


def reset_paths(news: PropertyMap, olds: PropertyMap, paths: Sequence[str]) -> PropertyMap:
    """`news` with every named path put back to what it is in `olds` (and removed where `olds` lacks it)."""
    result: Value = news
    for text in paths:
        result = _reset(result, olds, parse_path(text))
    return result


_MISSING: Final = object()


def _reset(new: Value, old: Value, path: Path) -> Value:
    """`new` with `path` taken from `old`; where a container on the way is missing or of another kind, `new` stays."""
    if isinstance(new, Secret):
        return Secret(_reset(new.value, old.value if isinstance(old, Secret) else old, path))
    if isinstance(old, Secret):
        return _reset(new, old.value, path)
    head, tail = path[0], path[1:]
    if isinstance(new, dict) and (isinstance(old, dict) or old is _MISSING) and isinstance(head, str):
        return _reset_keys(new, {} if old is _MISSING else old, head, tail)
    if isinstance(new, list) and isinstance(old, list):
        shared = range(min(len(new), len(old)))
        copy = list(new)
        for index in [index for index in shared if head in (WILDCARD, index)]:
            copy[index] = _reset(copy[index], old[index], tail) if tail else old[index]
        return copy
    return new


def _reset_keys(new: dict[str, Value], old: dict[str, Value], head: str, tail: Path) -> dict[str, Value]:
    copy = dict(new)
    keys = [head] if head != WILDCARD else list(dict.fromkeys([*old, *new]))
    for key in keys:
        if tail:
            if key in copy:
                copy[key] = _reset(copy[key], old.get(key, _MISSING), tail)
        elif key in old:
            copy[key] = old[key]
        else:
            copy.pop(key, None)
    return copy


def mark_paths(value: Value, path: Path, mark: Callable[[Value], Value]) -> Value:
    """`value` with `mark` applied at `path`, where it exists."""
    if not path:
        return mark(value)
    head, tail = path[0], path[1:]
    if isinstance(value, dict) and isinstance(head, str):
        keys = list(value) if head == WILDCARD else [head] if head in value else []
        return {**value, **{key: mark_paths(value[key], tail, mark) for key in keys}}
    if isinstance(value, list) and (head == WILDCARD or isinstance(head, int)):
        return [mark_paths(item, tail, mark) if head in (WILDCARD, index) else item for index, item in enumerate(value)]
    return value
