"""Requests that go to one colour, whatever its share of the traffic is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from slipway.contract.routes import Match
from slipway.delivery.model.colour import Colour


@dataclass(frozen=True, kw_only=True)
class Route:
    """A rule of the live listener that a rollout has made."""

    match: Match
    colour: Colour | None
    """None: it leads elsewhere, or to both colours."""


Routes = frozenset[Route]
NO_ROUTES: Routes = frozenset()


def say_routes(routes: Collection[Route]) -> str:
    """For people: which headers lead where. Without values, which only those who try releases need to know."""
    if not routes:
        return "no routes"
    colours = sorted({str(route.colour or "elsewhere") for route in routes})
    headers = sorted({route.match.header for route in routes})
    return f"routes to {' and '.join(colours)} by {', '.join(headers)}"
