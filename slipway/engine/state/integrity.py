"""Whether a list of records is a state at all: order is the dependency graph. Source: `VerifyIntegrity` of pulumi/pulumi."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from slipway.engine.state.model import ResourceState
from slipway.engine.urn import is_provider_type, parse_provider_reference


def find_fault(records: Sequence[ResourceState]) -> str | None:
    """The first reason why the records are no consistent state, in Pulumi's words; None if they are."""
    earlier: set[str] = set()
    providers: set[str] = set()
    for state in records:
        fault = _own_fault(state) or _provider_fault(state, providers)
        if fault:
            return fault
        for role, urn in _references(state):
            if urn not in earlier:
                later = any(other.urn == urn for other in records)
                return f"resource {state.urn}'s {role} {urn} " + ("comes after it" if later else "is missing")
        earlier.add(state.urn)
        if is_provider_type(state.type):
            providers.add(f"{state.urn}::{state.id}")
    return _duplicate(records)


def _own_fault(state: ResourceState) -> str | None:
    if not state.urn:
        return "a resource misses its 'urn'"
    if not state.type:
        return f"resource '{state.urn}' misses its 'type'"
    if not state.custom and state.id:
        return f"resource '{state.urn}' has 'custom' false but a non-empty id"
    if is_provider_type(state.type) and not state.id:
        return f"provider {state.urn} is not referenceable: it has no id"
    return None


def _provider_fault(state: ResourceState, providers: set[str]) -> str | None:
    if not state.provider or state.provider in providers:
        return None
    try:
        parse_provider_reference(state.provider)
    except ValueError as error:
        return f"resource {state.urn}: {error}"
    return None if state.pending_replacement else f"resource {state.urn} refers to unknown provider {state.provider}"


def _references(state: ResourceState) -> Iterator[tuple[str, str]]:
    if state.parent:
        yield "parent", state.parent
    for urn in state.dependencies:
        yield "dependency", urn
    for urns in state.property_dependencies.values():
        for urn in urns:
            yield "property dependency", urn
    if state.deleted_with:
        yield "deletedWith", state.deleted_with


def _duplicate(records: Iterable[ResourceState]) -> str | None:
    live: set[str] = set()
    for state in records:
        if not state.delete:
            if state.urn in live:
                return f"duplicate resource {state.urn} (not marked for deletion)"
            live.add(state.urn)
    return None
