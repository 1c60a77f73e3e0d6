"""How ops look and read: one table for every renderer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text

from slipway.engine import urn as urns
from slipway.engine.events import Op, Step


@dataclass(frozen=True)
class OpWords:
    """An op's symbol and style, and its verb: to do, being done, done."""

    symbol: str
    style: str
    plan: str
    doing: str
    done: str


_WORDS = {
    Op.SAME: OpWords(" ", "dim", "keep", "checking", "unchanged"),
    Op.CREATE: OpWords("+", "green", "create", "creating", "created"),
    Op.UPDATE: OpWords("~", "yellow", "update", "updating", "updated"),
    Op.DELETE: OpWords("-", "red", "delete", "deleting", "deleted"),
    Op.REPLACE: OpWords("±", "magenta", "replace", "replacing", "replaced"),
    Op.CREATE_REPLACEMENT: OpWords("±", "magenta", "create replacement", "creating replacement", "created replacement"),
    Op.DELETE_REPLACED: OpWords("±", "magenta", "delete original", "deleting original", "deleted original"),
    Op.READ: OpWords(">", "cyan", "read", "reading", "read"),
    Op.READ_REPLACEMENT: OpWords(">", "cyan", "read replacement", "reading replacement", "read replacement"),
    Op.REFRESH: OpWords("~", "yellow", "refresh", "refreshing", "refreshed"),
    Op.DISCARD: OpWords("<", "red", "forget", "forgetting", "forgot"),
    Op.DISCARD_REPLACED: OpWords("<", "red", "forget original", "forgetting original", "forgot original"),
    Op.REMOVE_PENDING_REPLACE: OpWords("-", "red", "forget replaced", "forgetting replaced", "forgot replaced"),
    Op.IMPORT: OpWords("=", "blue", "import", "importing", "imported"),
    Op.IMPORT_REPLACEMENT: OpWords("=", "blue", "import replacement", "importing replacement", "imported replacement"),
}

_COUNTED = ("create", "update", "replace", "delete", "import", "read", "discard", "same")


def words_of(op: Op) -> OpWords:
    """The op's words."""
    return _WORDS[op]


def short_type(type_token: str) -> str:
    """`aws:s3:Bucket` for `aws:s3/bucket:Bucket`: the member repeats the module's last part."""
    parts = type_token.split(":")
    if len(parts) != 3:
        return type_token
    package, module, name = parts
    outer, _, inner = module.rpartition("/")
    return f"{package}:{outer}:{name}" if outer and inner.lower() == name.lower() else type_token


def label_of(step: Step) -> str:
    """Type and name, as people tell resources apart."""
    return f"{short_type(step.state.type)} {urns.name_of(step.urn)}"


def counts_text(changes: Mapping[str, int], *, is_preview: bool) -> Text:
    """`+ 3 to create, ~ 1 to update, 56 unchanged`; in the past after an operation; `no resource changes: 56 unchanged`."""
    parts: list[Text] = []
    for key in _COUNTED:
        count = changes.get(key, 0)
        if not count:
            continue
        words = _WORDS[Op(key)]
        if key == "same":
            parts.append(Text(f"{count} unchanged", style="dim"))
        elif is_preview:
            parts.append(Text(f"{words.symbol} {count} to {words.plan}", style=words.style))
        else:
            parts.append(Text(f"{words.symbol} {count} {words.done}", style=words.style))
    rest = [f"{count} {key}" for key, count in changes.items() if key not in _COUNTED and count]
    parts += [Text(text) for text in rest]
    if not parts:
        return Text("nothing to do", style="dim")
    is_same = not any(count for key, count in changes.items() if key != "same")
    return Text.assemble(("no resource changes: ", "green"), parts[0]) if is_same else Text(", ").join(parts)


def duration_text(seconds: float) -> str:
    """`0.8 s`, `12 s`, `3 min 20 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
