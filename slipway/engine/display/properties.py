"""What changes of one resource, property by property: `tags.team: "a" => "b"`. Secrets are never shown."""

from __future__ import annotations

# Values are `Any` by design (see `Value`), and narrowing `Any` with isinstance leaves the types of its parts unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import json
from collections.abc import Iterator

from rich.text import Text

from slipway.engine.deployment.paths import Path, PathSyntaxError, parse_path, path_contains
from slipway.engine.events import BLINDED, Op, Step, plain_json
from slipway.engine.provider import DiffKind, PropertyDiff
from slipway.engine.state.model import ResourceState
from slipway.engine.values import UNKNOWN, Archive, Asset, PropertyMap, Secret, Value

LONGEST_VALUE = 100
"""Letters of a value shown on one line; the rest is left out, with its length."""
LONGEST_LIST = 12
"""Properties shown of a new resource; the rest is counted."""
_MISSING = object()


def property_lines(step: Step) -> Iterator[Text]:
    """The lines below a step: what it sets, changes, or why it replaces."""
    if step.op is Op.CREATE and step.new is not None:
        yield from _created(step.new.inputs)
        return
    if step.op in (Op.REPLACE, Op.UPDATE, Op.REFRESH) and step.old is not None and step.new is not None:
        yield from _changed(step, step.old, step.new)


def _created(inputs: PropertyMap) -> Iterator[Text]:
    shown = sorted(key for key in inputs if not key.startswith("__"))
    for key in shown[:LONGEST_LIST]:
        yield Text.assemble(("+ ", "green"), f"{key}: ", value_text(inputs[key]))
    if len(shown) > LONGEST_LIST:
        yield Text(f"  … and {len(shown) - LONGEST_LIST} more", style="dim")


def _changed(step: Step, old: ResourceState, new: ResourceState) -> Iterator[Text]:
    change = step.change
    hidden = [parse_path(path) for path in new.hide_diff]
    detailed = change.detailed or {key: PropertyDiff(kind=DiffKind.UPDATE) for key in change.changed_keys}
    for text, one in detailed.items():
        path = _path_of(text)
        if any(path_contains(outer, path) for outer in hidden):
            yield Text(f"  {text}: changes, hidden by hideDiffs", style="dim")
            continue
        before = _at(old.inputs if one.input_diff else old.outputs, path)
        after = _at(new.inputs if one.input_diff else new.outputs, path)
        if before is _MISSING and one.input_diff:
            before = _at(old.outputs, path)
        yield _change_line(text, one.kind, before, after)
    reasons = [key for key in change.replace_keys if key not in detailed]
    if step.op is Op.REPLACE and reasons and not any(key == path.split(".")[0] for key in reasons for path in detailed):
        yield Text(f"  replaced because of {', '.join(_REASONS.get(key, key) for key in reasons)}", style="magenta")
    if old.init_errors:
        yield Text(f"  it did not become ready last time: {'; '.join(old.init_errors)}", style="yellow")


_REASONS = {
    "provider": "another provider",
    "replaceWith": "a resource named in replace_with",
    "deletedWith": "the resource it is deleted with",
    "replacementTrigger": "its replacement trigger",
    "id": "a request to replace it",
}


def _change_line(path: str, kind: DiffKind, before: Value, after: Value) -> Text:
    is_replace = kind.value.endswith("-replace")
    note = ("  (needs replacement)", "magenta") if is_replace else ("", "")
    if kind.value.startswith("add"):
        return Text.assemble(("+ ", "green"), f"{path}: ", value_text(after), note)
    if kind.value.startswith("delete"):
        return Text.assemble(("- ", "red"), f"{path}: ", value_text(before), note)
    return Text.assemble(("~ ", "yellow"), f"{path}: ", value_text(before), (" => ", "dim"), value_text(after), note)


def value_text(value: Value) -> Text:
    """A value on one line."""
    if isinstance(value, Secret):
        return Text(BLINDED, style="cyan")
    if value is UNKNOWN:
        return Text("known after apply", style="italic dim")
    if value is _MISSING:
        return Text("(none)", style="dim")
    if isinstance(value, (Asset, Archive)):
        source = value.path or value.uri or ("text" if isinstance(value, Asset) else "assets")
        return Text(f"{type(value).__name__.lower()} {source} ({value.hash[:7]})")
    text = json.dumps(_readable(value), ensure_ascii=False, sort_keys=True)
    if len(text) > LONGEST_VALUE:
        text = f"{text[:LONGEST_VALUE]}… ({len(text)} letters)"
    return Text(text)


def _readable(value: Value) -> Value:
    """JSON data with words where the wire has sentinels."""
    if value is UNKNOWN:
        return "known after apply"
    if isinstance(value, dict):
        return {key: _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return plain_json(value)


def _path_of(text: str) -> Path:
    try:
        return parse_path(text)
    except PathSyntaxError:
        return (text,)


def _at(value: Value, path: Path) -> Value:
    """The value at a path, secret if anything on the way is."""
    for element in path:
        if isinstance(value, Secret):
            return value
        try:
            value = value[element]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value
