"""How many pods a colour has, and how many it needs for its share of the traffic. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.wanted import Floor

BUSY_PERCENT = 50
"""What the autoscaler made of a smaller share tells little of the whole: one pod too many at 1 % would be a hundred."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A colour's pods, and what its autoscaler may make of them."""

    ready: int
    wanted: int
    """Pods that the autoscaler wants now."""
    minimum: int
    """Pods that the autoscaler keeps at least, now."""
    declared: int
    """The same, as the stack file says."""
    maximum: int
    waiting: str = ""
    """Why pods are not ready; "": nothing is known."""

    @property
    def pods(self) -> int:
        """What the colour is meant to have: a live colour whose pods fail is not small."""
        return max(self.ready, self.wanted)

    def keeping(self, floor: Floor | None) -> int:
        """What the autoscaler is to keep at least, within its own maximum."""
        return min(max(self.declared, floor.pods if floor else 0), self.maximum)


@dataclass(frozen=True, kw_only=True)
class Room:
    """What the nodes still take of a colour's pods."""

    fits: int | None
    """So many more, those on nodes that may still be added included; None: nobody knows how many nodes there may be."""
    pending: int = 0
    """Pods of the service that no node takes now."""
    because: str = ""
    """What the scheduler says of them."""
    nodes: int = 0
    maximum_nodes: int | None = None
    """None: nobody knows."""


@dataclass(frozen=True, kw_only=True)
class SizePlan:
    """What both colours are to have before the candidate gets its next share."""

    floors: Mapping[Colour, Floor]
    needed: int
    """Pods of the candidate for the share."""
    ready: int
    """Of them, now."""


def pods_for_all(live: Colour, weights: Weights, floors: Mapping[Colour, Floor], sizes: Mapping[Colour, Size]) -> int:
    """Pods for the whole traffic: as many as live has or keeps, and more where the busier colour has grown above what it keeps.

    Such a colour serves as many requests with each pod as its autoscaler lets it, so its share tells the rest.
    """
    kept = floors.get(live)
    whole = max(sizes[live].pods if weights.of(live) else 0, kept.pods if kept else 0)
    for colour, size in sizes.items():
        share = weights.of(colour)
        if BUSY_PERCENT <= share < 100 and size.pods > size.keeping(floors.get(colour)):
            whole = max(whole, math.ceil(size.pods * 100 / share))
    return whole


def plan_size(
    *,
    colour: Colour,
    percent: int,
    weights: Weights,
    floors: Mapping[Colour, Floor],
    sizes: Mapping[Colour, Size],
    healthy: int,
    surge_percent: int,
) -> SizePlan:
    """Floors before `colour` gets `percent` of the traffic: live keeps what all of it needs, the candidate grows by one surge at a time.

    `healthy`: the candidate's targets that the load balancer would send requests to.
    """
    live = colour.other
    whole = min(pods_for_all(live, weights, floors, sizes), sizes[colour].maximum)
    needed = min(max(math.ceil(whole * percent / 100), sizes[colour].declared), sizes[colour].maximum)
    ready, kept = min(sizes[colour].ready, healthy), sizes[colour].keeping(floors.get(colour))
    surge = max(math.ceil(whole * surge_percent / 100), 1)
    # No more is asked for before what was asked for is there: neither database nor nodes meet all pods at once.
    held_up = ready < min(kept, needed) and surge < whole
    asked = kept if held_up else min(needed, max(kept, ready) + surge)
    pods = {live: max(sizes[live].keeping(floors.get(live)), min(whole, sizes[live].maximum)), colour: max(asked, kept)}
    above = {each: Floor(pods=count) for each, count in pods.items() if count > sizes[each].declared}
    return SizePlan(floors=above, needed=needed, ready=ready)
