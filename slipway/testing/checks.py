"""What every deployment is checked for, because mocks let it pass. Each check has a name by which it can be switched off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from slipway.testing.observing import Observation
from slipway.testing.result import Resource

# ruff: noqa: ARG001 - every check takes the same two arguments

DEFAULTS: Mapping[str, bool] = {
    "schema": True,
    "providers": True,
    "parents": True,
    "outputs": True,
    "applies": False,
}
"""Checks and whether they are on by default. `schema` is done by the fake providers."""


class CheckError(AssertionError):
    """Checks that the program does not pass."""


def choose_checks(*choices: Mapping[str, bool]) -> dict[str, bool]:
    """The defaults with the choices laid over them; ValueError for a name that is no check."""
    chosen = dict(DEFAULTS)
    for choice in choices:
        unknown = set(choice) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"no check is called {', '.join(sorted(unknown))}; there are {', '.join(DEFAULTS)}")
        chosen.update(choice)
    return chosen


def run_checks(chosen: Mapping[str, bool], observation: Observation, resources: Sequence[Resource]) -> None:
    """Raise CheckError with everything that is wrong."""
    found = [
        f"[{name}] {fault}"
        for name, check in _CHECKS.items()
        if chosen[name]
        for fault in check(observation, resources)
    ]
    if found:
        raise CheckError("the program ran, but:\n" + "\n".join(f"  {fault}" for fault in found))


def _providers(observation: Observation, resources: Sequence[Resource]) -> Iterator[str]:
    for resource in resources:
        if resource.custom and not resource.provider and not resource.type.startswith("pulumi:"):
            yield f"{resource.urn} is on the default provider; pass `provider` or `providers`"


def _parents(observation: Observation, resources: Sequence[Resource]) -> Iterator[str]:
    urns = {f"{resource.type}::{resource.name}": resource.urn for resource in resources}
    for child, maker in observation.orphans:
        yield f"{urns.get(child, child)} is made by {urns.get(maker, maker)}, and has the stack as its parent; pass parent=self"


def _outputs(observation: Observation, resources: Sequence[Resource]) -> Iterator[str]:
    urns = {f"{resource.type}::{resource.name}": resource.urn for resource in resources}
    for key, component in observation.components.items():
        urn = urns.get(key)
        # A remote component's outputs are its provider's business.
        if urn is None or getattr(component, "_remote", False):
            continue
        if urn not in observation.outputs:
            yield f"{urn} never calls register_outputs"
    for key, name in observation.undefined:
        yield f"{urns.get(key, key)} declares the output {name!r} and leaves it undefined"


def _applies(observation: Observation, resources: Sequence[Resource]) -> Iterator[str]:
    for place, ran in observation.applies.items():
        if not ran:
            yield f"the function at {place} was given to apply and never ran: its value is unknown in this operation"


_CHECKS: Mapping[str, Callable[[Observation, Sequence[Resource]], Iterator[str]]] = {
    "parents": _parents,  # first: a child without its parent has not its parent's provider either
    "providers": _providers,
    "outputs": _outputs,
    "applies": _applies,
}
