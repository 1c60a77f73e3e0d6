"""A call's parameters as texts by name, whatever they are nested in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import cast

TAGS = frozenset({"tags", "tag", "tagset", "taglist"})
TAG_HOLDERS = frozenset({"tagspecifications", "tagging"})


class Texts:
    """All texts of a call's parameters but its tags. A name at the top hides the same name further down."""

    def __init__(self, parameters: Mapping[str, object]) -> None:
        # Tags hold what their author likes: names and ARNs in them are about nothing.
        parameters = {name: value for name, value in parameters.items() if name.lower() not in TAGS | TAG_HOLDERS}
        self.pairs = tuple(named_texts(parameters))
        self._top: dict[str, list[str]] = defaultdict(list)
        self._all: dict[str, list[str]] = defaultdict(list)
        for name, text in self.pairs:
            self._all[name.lower()].append(text)
        for name, value in parameters.items():
            if isinstance(value, str) or _is_texts(value):
                self._top[name.lower()] += [text for _, text in named_texts({name: value})]

    def of(self, *names: str) -> list[str]:
        """The texts of all these names; lower case."""
        found = [text for name in names for text in self._top.get(name, [])]
        return found or [text for name in names for text in self._all.get(name, [])]

    def arns(self) -> list[str]:
        """All ARNs."""
        return [text for _, text in self.pairs if text.startswith("arn:")]


def named_texts(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text with the name of the member that holds it; a list's items have the list's."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in cast(Mapping[object, object], value).items():
            yield from named_texts(each, str(key))
    elif isinstance(value, (list, tuple)):
        for each in cast(list[object], value):
            yield from named_texts(each, name)


def tags_of(parameters: Mapping[str, object]) -> dict[str, str]:
    """The tags that a call sets, in any of the shapes that services have for them."""
    return dict(tag_pairs(parameters))


def tag_pairs(parameters: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The same one by one, also those that are given twice."""
    for name, value in parameters.items():
        if name.lower() in TAGS:
            yield from _tags(value)
        elif name.lower() in TAG_HOLDERS and not isinstance(value, str):
            for each in cast(list[object], value) if isinstance(value, list) else [value]:
                yield from tag_pairs(cast(Mapping[str, object], each)) if isinstance(each, Mapping) else ()


def _tags(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        items = cast(Mapping[str, object], value)
        yield from ((str(key), str(each)) for key, each in items.items())
    if not isinstance(value, list):
        return
    for each in cast(list[object], value):
        if isinstance(each, Mapping):
            fields = {str(key).lower(): text for key, text in cast(Mapping[object, object], each).items()}
            key = fields.get("key") or fields.get("tagkey")
            if key is not None:
                yield str(key), str(fields.get("value", fields.get("tagvalue", "")))


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in cast(list[object], value))
