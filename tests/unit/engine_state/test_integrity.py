"""Order is the dependency graph."""

from __future__ import annotations

import re
from typing import Any

import pytest

from slipway.engine.state.integrity import find_fault
from slipway.engine.state.model import ResourceState
from tests.unit.engine_state.state_kit import PROVIDER, STACK, thing

A, B = thing("a"), thing("b")


@pytest.mark.parametrize(
    "records",
    [
        (),
        (STACK, PROVIDER, A, B),
        (
            STACK,
            PROVIDER,
            A,
            thing("b", dependencies=(A.urn,), property_dependencies={"x": (A.urn,)}, deleted_with=A.urn),
        ),
        (STACK, PROVIDER, A, thing("a", delete=True, id="old")),
        (STACK, PROVIDER, thing("a", delete=True, id="1"), thing("a", delete=True, id="2")),
        (STACK, thing("a", pending_replacement=True)),
    ],
)
def test_consistent_state_has_no_fault(records: tuple[ResourceState, ...]) -> None:
    assert find_fault(records) is None


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ((PROVIDER, A), "parent .* is missing"),
        ((PROVIDER, A, STACK), "parent .* comes after it"),
        ((STACK, A, PROVIDER), "refers to unknown provider"),
        ((STACK, PROVIDER, thing("a", provider=f"{PROVIDER.urn}::other")), "refers to unknown provider"),
        ((STACK, PROVIDER, thing("a", provider="nonsense")), "is no provider reference"),
        ((STACK, PROVIDER, thing("a", dependencies=(B.urn,)), B), "dependency .* comes after it"),
        ((STACK, PROVIDER, thing("a", property_dependencies={"x": (B.urn,)})), "property dependency .* is missing"),
        ((STACK, PROVIDER, thing("a", deleted_with=B.urn)), "deletedWith .* is missing"),
        ((STACK, PROVIDER, A, thing("a", id="x")), "duplicate resource"),
        ((thing("a", custom=False),), "has 'custom' false but a non-empty id"),
        ((STACK, thing("a", type=PROVIDER.type, provider="", id="")), "is not referenceable"),
        ((thing("a", type=""),), "misses its 'type'"),
        ((thing("a", urn=""),), "misses its 'urn'"),
    ],
)
def test_fault_is_told(records: tuple[Any, ...], said: str) -> None:
    fault = find_fault(records)

    assert fault is not None
    assert re.search(said, fault)
