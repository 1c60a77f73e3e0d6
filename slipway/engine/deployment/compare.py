"""Comparing property maps: equality as Pulumi means it, detailed diffs, and what the user's options make of a provider's diff."""

from __future__ import annotations

# Values are `Any` by design (see `Value`), and narrowing `Any` with isinstance leaves the types of its parts unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from slipway.engine.deployment.paths import (
    PathElement,
    PathSyntaxError,
    format_path,
    parse_path,
    path_contains,
    reset_paths,
)
from slipway.engine.provider import DiffChanges, DiffKind, DiffResult, PropertyDiff
from slipway.engine.values import (
    UNKNOWN,
    Archive,
    Asset,
    OutputValue,
    PropertyMap,
    Secret,
    Value,
    contains_secret,
    contains_unknown,
    unwrap_secrets,
)

INIT_ERRORS_KEY = "#initerror"
"""The path that `replace_on_changes` names to have a resource replaced that never became ready."""


def values_equal(left: Value, right: Value) -> bool:
    """Whether two values are the same, secrets looked through; 1 equals 1.0 but not True; an unknown equals nothing else."""
    left, right = _bare(left), _bare(right)
    if left is right:
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(values_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(values_equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, bool) or isinstance(right, bool):
        return False  # both True or both False were the same object
    if isinstance(left, (Asset, Archive)) and isinstance(right, (Asset, Archive)) and left.hash and right.hash:
        return type(left) is type(right) and left.hash == right.hash
    return type(left) is type(right) and left == right if not _are_numbers(left, right) else left == right


def _bare(value: Value) -> Value:
    while isinstance(value, (Secret, OutputValue)):
        value = value.value
    return value


def _are_numbers(left: Value, right: Value) -> bool:
    return isinstance(left, (int, float)) and isinstance(right, (int, float))


def detailed_diff(old: PropertyMap, new: PropertyMap) -> dict[str, PropertyDiff]:
    """Every path where `new` differs from `old`, as deep as both have the same kind of container."""
    found: dict[str, PropertyDiff] = {}
    _collect(old, new, (), found)
    return found


def _collect(old: Value, new: Value, path: tuple[PathElement, ...], found: dict[str, PropertyDiff]) -> None:
    old, new = _bare(old), _bare(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            if key not in new:
                found[format_path((*path, key))] = PropertyDiff(kind=DiffKind.DELETE)
            elif key not in old:
                found[format_path((*path, key))] = PropertyDiff(kind=DiffKind.ADD)
            else:
                _collect(old[key], new[key], (*path, key), found)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(new):
                found[format_path((*path, index))] = PropertyDiff(kind=DiffKind.DELETE)
            elif index >= len(old):
                found[format_path((*path, index))] = PropertyDiff(kind=DiffKind.ADD)
            else:
                _collect(old[index], new[index], (*path, index), found)
    elif not values_equal(old, new):
        found[format_path(path)] = PropertyDiff(kind=DiffKind.UPDATE)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a registration means for an existing resource, after all options have had their say."""

    changed: bool = False
    replace_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    detailed: Mapping[str, PropertyDiff] = field(default_factory=dict[str, PropertyDiff])
    delete_before_replace: bool = False
    forced: bool = False
    """True: replaced for a reason that is no property's (a trigger, an interrupted replacement)."""

    @property
    def replaces(self) -> bool:
        """Whether the change needs another resource in place of this one."""
        return self.forced or (self.changed and bool(self.replace_keys))


def settle_diff(
    diff: DiffResult,
    *,
    old_inputs: PropertyMap,
    new_inputs: PropertyMap,
    ignore_changes: Sequence[str] = (),
    replace_on_changes: Sequence[str] = (),
    has_init_errors: bool = False,
) -> Change:
    """The provider's answer made definite: UNKNOWN is decided by comparing inputs, then `replace_on_changes` is applied."""
    if diff.changes is DiffChanges.NONE and not has_init_errors:
        return Change()
    computed = detailed_diff(old_inputs, reset_paths(new_inputs, old_inputs, ignore_changes))
    changed = diff.changes is DiffChanges.SOME or (diff.changes is DiffChanges.UNKNOWN and bool(computed))
    own_detail = diff.detailed is not None
    detailed = dict(diff.detailed) if diff.detailed is not None else computed
    replace_keys = list(diff.replaces)
    changed_keys = list(diff.diffs) or ([] if own_detail else list(dict.fromkeys(_top(path) for path in computed)))
    if not changed and not has_init_errors:
        return Change()
    wanted = [parse_path(path) for path in replace_on_changes]
    for text, one in list(detailed.items()):
        if any(path_contains(path, _parse_leniently(text)) for path in wanted):
            detailed[text] = replace(one, kind=_replacing(one.kind))
    replace_keys += [key for key in changed_keys if any(path_contains(path, (key,)) for path in wanted)]
    if has_init_errors and any(path_contains(path, (INIT_ERRORS_KEY,)) for path in wanted):
        replace_keys.append(INIT_ERRORS_KEY)
        changed = True
    if not own_detail:
        for text, one in detailed.items():
            if _top(text) in replace_keys:
                detailed[text] = replace(one, kind=_replacing(one.kind))
    if changed and (own_detail or wanted):
        replace_keys += [_top(text) for text, one in detailed.items() if one.kind.value.endswith("-replace")]
    return Change(
        changed=changed,
        replace_keys=tuple(dict.fromkeys(replace_keys)),
        changed_keys=tuple(changed_keys or dict.fromkeys(_top(path) for path in detailed)),
        detailed=detailed if changed else {},
        delete_before_replace=diff.delete_before_replace,
    )


def _top(path: str) -> str:
    elements = _parse_leniently(path)
    return str(elements[0]) if elements else path


def _parse_leniently(text: str) -> tuple[PathElement, ...]:
    """Providers write paths of their own making; one that does not parse names its whole text."""
    try:
        return parse_path(text)
    except PathSyntaxError:
        return (text,)


def _replacing(kind: DiffKind) -> DiffKind:
    return kind if kind.value.endswith("-replace") else DiffKind(f"{kind.value}-replace")


def should_trigger_replace(new: Value, old: Value) -> bool:
    """Whether a `replacement_trigger` asks for a replacement: unknown always does, absent on either side never does."""
    if contains_unknown(new) or contains_unknown(old):
        return True
    new, old = unwrap_secrets(new), unwrap_secrets(old)
    return new is not None and old is not None and not values_equal(new, old)


def mark_secret_outputs(outputs: PropertyMap, inputs: PropertyMap, additional: Sequence[str]) -> PropertyMap:
    """`outputs` with those wrapped that are named in `additional`, or whose same-named input is secret."""
    marked = dict(outputs)
    for key, value in outputs.items():
        if key == "id" or isinstance(value, Secret):
            continue
        if key in additional or isinstance(inputs.get(key), Secret):
            marked[key] = Secret(value)
    return marked


def annotate_secrets(outputs: Value, inputs: Value) -> Value:
    """`outputs` with secrets put back where `inputs` has them: for providers that cannot carry the marker themselves.

    A list is secret as a whole, as with Pulumi: a provider may sort it, and the secret would then stand in the open at another place.
    """
    if isinstance(outputs, Secret) or outputs is UNKNOWN:
        return outputs
    if isinstance(outputs, dict) and isinstance(inputs, dict):
        return {key: annotate_secrets(value, inputs[key]) if key in inputs else value for key, value in outputs.items()}
    return Secret(unwrap_secrets(outputs)) if contains_secret(inputs) else outputs
