"""The pods of one simulated environment: two colours, their autoscalers, the nodes' room, and requests that too few pods cannot answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.size import Room, Size
from slipway.delivery.model.wanted import ColourRelease

NEVER = timedelta(days=3650)


@dataclass
class _Group:
    """A colour's Deployment and its autoscaler."""

    of: tuple[ColourRelease, datetime]
    declared: int
    """What the program said last: saying the same again changes nothing."""
    minimum: int
    since: datetime
    """An autoscaler knows nothing of the time before."""
    ready_at: list[datetime] = field(default_factory=list[datetime])


@dataclass(kw_only=True)
class SimulatedPods:
    """Public fields are knobs; change them at any time."""

    minimum: int = 2
    """The stack file's, per colour."""
    maximum: int = 4
    requests_per_pod: float = math.inf
    """A second; what is more fails. It is also what the autoscaler wants of each pod."""
    autoscaler_seconds: float = 60.0
    """How old the numbers are that the autoscaler looks at."""
    room: float = math.inf
    """So many pods of the service fit on the nodes, those that may still be added included."""
    startup_seconds: float = 2.0
    fault: str = ""
    """The cluster's API does not answer."""
    lost_requests: float = 0.0
    """Failed because too few pods were ready."""
    kept: list[tuple[Colour, int]] = field(default_factory=list[tuple[Colour, int]])
    """What autoscalers were told, in order."""
    groups: dict[Colour, _Group] = field(default_factory=dict[Colour, _Group])
    _past: list[tuple[datetime, Weights]] = field(default_factory=list[tuple[datetime, Weights]])
    _looked_at: datetime | None = None

    def follow(
        self,
        now: datetime,
        running: dict[Colour, tuple[ColourRelease, datetime]],
        weights: Weights,
        requests_per_second: float,
    ) -> None:
        """Let the time since the last look pass: requests are answered or lost, autoscalers act, pods start."""
        self._lose(now, weights, requests_per_second)
        if not self._past or self._past[-1][1] != weights:
            self._past.append((now, weights))
        for colour in [each for each in self.groups if each not in running]:
            del self.groups[colour]
        for colour, of in running.items():
            if colour not in self.groups:
                self.groups[colour] = _Group(of=of, declared=self.minimum, minimum=self.minimum, since=now)
            group = self.groups[colour]
            if not group.ready_at or group.of != of:
                started = of[1] + timedelta(seconds=self.startup_seconds)
                group.ready_at = [started] * max(len(group.ready_at), group.minimum)
                group.of = of
            self._scale(colour, group, now, requests_per_second)

    def declare(self, colour: Colour, floor: int) -> None:
        """What an `up` does: it writes a minimum that it did not write before, and leaves alone what others wrote meanwhile."""
        declared, group = min(max(self.minimum, floor), self.maximum), self.groups.get(colour)
        if group and group.declared != declared:
            group.declared = group.minimum = declared

    def ready(self, colour: Colour, now: datetime) -> int:
        """Pods that are ready."""
        return sum(at <= now for at in self.groups[colour].ready_at) if colour in self.groups else 0

    def wanted(self, colour: Colour) -> int:
        """Pods that the Deployment wants."""
        return len(self.groups[colour].ready_at) if colour in self.groups else 0

    def overload(self, colour: Colour, now: datetime, weights: Weights, requests_per_second: float) -> float:
        """The share of the colour's requests that fails because its pods are too few."""
        load = requests_per_second * weights.of(colour) / 100
        return max(0.0, 1 - self.ready(colour, now) * self.requests_per_pod / load) if load else 0.0

    def size(self, colour: Colour, now: datetime) -> Size | None:
        """See `Cluster.size`."""
        group = self.groups.get(colour)
        if group is None:
            return None
        pending = self._pending()
        return Size(
            ready=self.ready(colour, now),
            wanted=len(group.ready_at),
            minimum=group.minimum,
            declared=self.minimum,
            maximum=self.maximum,
            waiting=f"{pending} pods are pending: no node has room" if pending else "",
        )

    def keep(self, colour: Colour, pods: int) -> None:
        """See `Cluster.keep`."""
        self.kept.append((colour, pods))
        if colour in self.groups:
            self.groups[colour].minimum = pods

    def see_room(self) -> Room:
        """See `Cluster.room`."""
        present, pending = sum(len(group.ready_at) for group in self.groups.values()), self._pending()
        if math.isinf(self.room):
            return Room(fits=None)
        because = "no node has room" if pending else ""
        fits = max(int(self.room) - present, 0)
        return Room(fits=fits, pending=pending, because=because, nodes=3, maximum_nodes=3)

    def _pending(self) -> int:
        return sum(at - NEVER > group.of[1] for group in self.groups.values() for at in group.ready_at)

    def _lose(self, now: datetime, weights: Weights, requests_per_second: float) -> None:
        since, self._looked_at = self._looked_at or now, now
        seconds = (now - since).total_seconds()
        if not seconds or math.isinf(self.requests_per_pod):
            return  # nothing to lose
        for colour in Colour:
            if colour in self.groups:
                share = requests_per_second * weights.of(colour) / 100
                self.lost_requests += share * seconds * self.overload(colour, since, weights, requests_per_second)

    def _scale(self, colour: Colour, group: _Group, now: datetime, requests_per_second: float) -> None:
        seen_at = now - timedelta(seconds=self.autoscaler_seconds)
        weights = next((then for at, then in reversed(self._past) if at <= seen_at), None)
        share = weights.of(colour) if weights and seen_at >= group.since else 0
        busy = math.ceil(requests_per_second * share / 100 / self.requests_per_pod)
        desired = min(max(busy, group.minimum), self.maximum)
        if len(group.ready_at) == desired:
            return
        while len(group.ready_at) < desired:
            taken = sum(len(each.ready_at) for each in self.groups.values()) - self._pending()
            soon = timedelta(seconds=self.startup_seconds) if taken < self.room else NEVER * 2
            group.ready_at.append(now + soon)
        group.ready_at = sorted(group.ready_at)[:desired]
