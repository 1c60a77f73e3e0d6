"""Which other resources must go before a resource that is deleted before it is replaced.

Taken from the OLD state: every later resource whose provider, `deleted_with` or properties depend on one that goes, and whose provider
says that such a change needs a replacement (asked with the affected properties made unknown).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.engine.deployment.compare import settle_diff
from slipway.engine.deployment.context import Deployment, Place, all_dependencies
from slipway.engine.deployment.execution import StepRunner
from slipway.engine.state.model import ResourceState
from slipway.engine.urn import is_provider_type, parse_provider_reference
from slipway.engine.values import UNKNOWN


@dataclass(frozen=True)
class Dependent:
    """An old resource that must be replaced too, and the properties that say so."""

    place: Place
    keys: tuple[str, ...] = ()


def find_dependents(deployment: Deployment, runner: StepRunner, root: Place) -> list[Dependent]:
    """All dependents that must be deleted before `root`, in the state's order; delete them in reverse."""
    replaced = {root.state.urn}
    touched = {root.state.urn}
    found: list[Dependent] = []
    for place in _later_than(deployment, root):
        state = place.state
        if not touched.intersection(all_dependencies(state)):
            continue
        touched.add(state.urn)
        if not state.custom or state.external:
            continue
        keys = _replaced_because(runner, state, replaced)
        if keys is not None:
            replaced.add(state.urn)
            found.append(Dependent(place, keys))
    return found


def _later_than(deployment: Deployment, root: Place) -> Iterator[Place]:
    # What this run has registered already cannot depend on the root: its registration would have waited for the root's.
    with deployment.lock:
        candidates = list(deployment.remaining)
        seen = set(deployment.goals) | set(deployment.aliased)
    begun = root not in deployment.remaining
    for place in candidates:
        if place is root:
            begun = True
        elif begun and place.state.urn not in seen and not place.state.delete:
            yield place


def _replaced_because(runner: StepRunner, state: ResourceState, replaced: set[str]) -> tuple[str, ...] | None:
    """The properties that need the replacement; empty when something else does; None when nothing does."""
    if state.provider and parse_provider_reference(state.provider).urn in replaced:
        return ()
    if state.deleted_with in replaced or replaced.intersection(state.replace_with):
        return ()
    affected = {key for key, urns in state.property_dependencies.items() if replaced.intersection(urns)}
    if not affected & state.inputs.keys():
        return None
    calls = runner.calls_for(state)
    if calls is None or is_provider_type(state.type):
        return None
    news = {key: UNKNOWN if key in affected else value for key, value in state.inputs.items()}
    change = settle_diff(
        calls.diff(runner.context(state), state, news),
        old_inputs=state.inputs,
        new_inputs=news,
        ignore_changes=state.ignore_changes,
        replace_on_changes=state.replace_on_changes,
    )
    return change.replace_keys if change.replaces else None
