"""What the machine is shown of the world before it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.rollout import Reason
from slipway.delivery.model.route import Routes
from slipway.delivery.model.size import Size
from slipway.delivery.model.target import NoDataPolicy
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.model.word import Word


@dataclass(frozen=True, kw_only=True)
class BalancerState:
    """The load balancer's own answer, read back, never what was asked of it."""

    weights: Weights | None
    """None: the live listener forwards to something else than the two target groups."""
    test: Colour | None = None
    """The colour behind the test route; None: neither, both, or not asked."""
    routes: Routes | None = None
    """The rules that rollouts have made for `rollout.routes`; None: not asked."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """The targets of one colour as the load balancer sees them."""

    healthy: int
    unhealthy: int
    """Registered and not healthy (initial and unhealthy; draining ones are left out)."""
    expected: int = 0
    """How many pods the colour's Deployment wants; 0: not asked."""
    pods_ready: bool = True
    """The Deployment has rolled out: every pod is of the newest template and ready."""
    addresses: frozenset[str] = frozenset()
    """Of the healthy targets."""
    missing: frozenset[str] = frozenset()
    """Pods of the newest template that the load balancer does not call healthy, by address."""
    serving: int = 0
    """Pods of the newest template that the load balancer calls healthy, where none of an older one is left."""
    trouble: str = ""
    """What keeps pods from their start, as the cluster says."""
    crash_loop: bool = False
    """As in `Pods`."""

    @property
    def all_healthy(self) -> bool:
        """Every pod of the newest template is a healthy target, and no target is anything else.

        The number alone would not do: for a moment the targets of the template before are still there, and healthy.
        """
        return self.pods_ready and not self.missing and self.healthy >= max(self.expected, 1) and self.unhealthy == 0

    def __str__(self) -> str:
        counts = f"{self.healthy} healthy, {self.unhealthy} not healthy, {self.expected} expected"
        return f"{counts}; {self.trouble}" if self.trouble else counts


@dataclass(frozen=True, kw_only=True)
class Pods:
    """A colour's Deployment."""

    wanted: int
    ready: bool
    """The newest template is rolled out: updated, available, none of an older template left."""
    addresses: frozenset[str] = frozenset()
    """Of the ready pods that are not on their way out."""
    release: str = ""
    """That the newest template is of."""
    mixed: bool = False
    """Pods of an older template are left, or the newest one was not seen to yet."""
    trouble: str = ""
    """What keeps pods of the newest template from their start; "": nothing that is known."""
    crash_loop: bool = False
    """One of them has ended again and again: waiting for it is in vain."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One judgement, in words that a person on call understands, and in numbers."""

    kind: VerdictKind
    text: str
    reason: Reason = Reason.NONE
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    on_no_data: NoDataPolicy | None = None
    """The strictest policy of the metrics without data; None: the stack's own."""
    unanswered: str = ""
    """Why the bake may not end yet, whatever else was found: requests that went to the candidate have not ended. "": none is missed."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The world at one moment. Fields that the phase does not need are None."""

    wanted: Wanted
    balancer: BalancerState | None = None
    asked: Weights | None = None
    """The weights that this process asked for last, which may not hold yet; None: it asked for none."""
    health: Health | None = None
    sizes: Mapping[Colour, Size] = field(default_factory=dict[Colour, Size])
    """Of the colours that an autoscaler has."""
    verdict: Verdict | None = None
    frozen: str = ""
    """What freeze windows say against the coming step; "": nothing, or not asked."""
    rejected: str = ""
    """What rejections upstream say against it."""
    abort: str | None = None
    """Who asked to abort, and why; None: nobody."""
    pause: Word | None = None
    """The last word on a pause."""
    approval: Word | None = None
    """The last approval."""
    skip: Word | None = None
    """The last word on a bake."""
    barred: str | None = None
    """Which gates stand against another attempt; "": none does. None: they were not asked."""
    superseded: Word | None = None
    """Who releases something else instead."""
