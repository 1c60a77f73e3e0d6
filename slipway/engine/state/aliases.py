"""Rewriting of URNs in old records after a resource was matched through an alias.

Source: `NormalizeURNReferences` of pulumi/pulumi's `sdk/go/common/apitype`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Generic, TypeVar

from slipway.engine.state.model import ResourceState
from slipway.engine.urn import (
    STACK_TYPE,
    ProviderReference,
    build_urn,
    name_of,
    parse_provider_reference,
    parse_urn,
    type_of,
)

T = TypeVar("T")


class References(Generic[T]):
    """Which records name a URN, as their own or as a reference."""

    def __init__(self) -> None:
        self._holders: dict[str, dict[T, None]] = {}

    def add(self, holder: T, state: ResourceState) -> None:
        """Index a record."""
        for urn in _named_urns(state):
            self._holders.setdefault(urn, {})[holder] = None

    def pop(self, urn: str) -> list[T]:
        """The records that name `urn`, which nothing will name any more."""
        return list(self._holders.pop(urn, ()))


def rename_record(state: ResourceState, old_urn: str, new_urn: str) -> ResourceState:
    """The record with `old_urn` replaced wherever it is named. A child of it gets the new parent's type in its own URN."""

    def fix(urn: str) -> str:
        return new_urn if urn == old_urn else urn

    urn = fix(state.urn)
    if state.parent == old_urn and urn == state.urn and parse_urn(new_urn).qualified_type != STACK_TYPE:
        own = parse_urn(urn)
        urn = build_urn(own.stack, own.project, new_urn, type_of(urn), name_of(urn))
    return replace(
        state,
        urn=urn,
        parent=fix(state.parent),
        provider=_fix_provider(state.provider, old_urn, new_urn),
        dependencies=tuple(map(fix, state.dependencies)),
        property_dependencies={key: tuple(map(fix, urns)) for key, urns in state.property_dependencies.items()},
        deleted_with=fix(state.deleted_with),
        view_of=fix(state.view_of),
    )


def _fix_provider(provider: str, old_urn: str, new_urn: str) -> str:
    if not provider:
        return provider
    reference = parse_provider_reference(provider)
    return str(ProviderReference(new_urn, reference.id)) if reference.urn == old_urn else provider


def _named_urns(state: ResourceState) -> Iterator[str]:
    yield state.urn
    yield from (urn for urn in (state.parent, state.deleted_with, state.view_of) if urn)
    if state.provider:
        yield parse_provider_reference(state.provider).urn
    yield from state.dependencies
    for urns in state.property_dependencies.values():
        yield from urns
