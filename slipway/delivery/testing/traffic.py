"""Traffic with true error ratios and noise, and the analysis of a rollout in it: the real judge and state machine, without a world."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from slipway.delivery.analysis.judge import judge
from slipway.delivery.analysis.measuring import measure, with_measurement
from slipway.delivery.analysis.unanswered import LONGEST_REQUEST_SECONDS
from slipway.delivery.machine import decide
from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.decision import Act, Enter
from slipway.delivery.model.observation import BalancerState, Observation
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.planning import begin_rollout
from slipway.delivery.ports import Place

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LIVE = ColourRelease(release="r-1", image="orders@sha256:" + "0" * 64, version="1")
NEW = ColourRelease(release="r-2", image="orders@sha256:" + "1" * 64, version="2")
ALL_LIVE = Weights(blue=100, green=0)
BEFORE = Wanted(live=Colour.BLUE, test=Colour.GREEN, blue=LIVE, green=NEW, weights=ALL_LIVE, revision=1)


@dataclass(kw_only=True)
class NoisyTraffic:
    """Implements `ports.Metrics` over requests that fail by chance. The same seed and schedule give the same requests."""

    requests_per_second: float
    candidate_ratio: float
    """True error ratio, above 0 and below 1."""
    live_ratio: float
    seed: int | str
    hanging_ratio: float = 0.0
    """Of the candidate's requests, these are not answered: they count, as errors, `LONGEST_REQUEST_SECONDS` later."""
    source: str = "simulated"
    synthetic: bool = False
    candidate: Sample = field(default_factory=lambda: Sample(slow=0))
    """Everything so far."""
    live: Sample = field(default_factory=lambda: Sample(slow=0))
    _since: dict[datetime, tuple[Sample, Sample]] = field(default_factory=dict[datetime, tuple[Sample, Sample]])

    _passed: float = 0.0
    _hanging: list[tuple[float, Sample]] = field(default_factory=list[tuple[float, Sample]])

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - a simulation

    def flow(self, seconds: float, percent: int) -> None:
        """Let time pass with this share of the requests at the candidate."""
        whole = self.requests_per_second * seconds
        got = whole * percent / 100
        if hanging := round(got * self.hanging_ratio):
            self._hanging.append(
                (self._passed + LONGEST_REQUEST_SECONDS, Sample(requests=hanging, errors=hanging, slow=0))
            )
        self._passed += seconds
        for due, ended in [each for each in self._hanging if each[0] <= self._passed]:
            self._hanging.remove((due, ended))
            self.candidate = self.candidate.plus(ended)
        self.candidate = self.candidate.plus(self._draw(got - hanging, self.candidate_ratio))
        self.live = self.live.plus(self._draw(whole * (100 - percent) / 100, self.live_ratio))

    def begin(self, at: datetime) -> None:
        """Remember what was before, so that a step's own requests can be told."""
        self._since[at] = (self.candidate, self.live)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """See `Metrics.compare`; `since` is a moment that `begin` was told."""
        del candidate, live, until
        before = self._since[since]
        own, peer = self.candidate.minus(before[0]), self.live.minus(before[1])
        return Comparison(source=self.source, candidate=own, live=peer)

    def _draw(self, expected: float, ratio: float) -> Sample:
        requests = int(expected) + (self._dice.random() < expected % 1)
        if not 0 < ratio < 1:
            return Sample(requests=requests, errors=requests if ratio else 0, slow=0)
        errors, position = 0, 0
        while (position := position + 1 + int(math.log(1 - self._dice.random()) / math.log1p(-ratio))) <= requests:
            errors += 1  # from one error to the next, the distance is geometric
        return Sample(requests=requests, errors=errors, slow=0)


def analyse_rollout(settings: RolloutSettings, traffic: NoisyTraffic) -> Rollout:
    """A rollout from its first weight to where its analysis ends: on its way back, or being verified."""
    place = Place(environment="simulation", service="orders")
    rollout = begin_rollout(
        kind=Kind.RELEASE, place=place, actor="simulation", now=START, wanted=BEFORE, candidate=NEW, settings=settings
    )
    rollout, now = replace(rollout, phase=Phase.SHIFTING), START
    while rollout.phase in {Phase.SIZING, Phase.SHIFTING, Phase.BAKING}:
        verdict = None
        seen_now = rollout.measurements and rollout.measurements[-1].at == now  # an extended bake changes no count
        if rollout.phase is Phase.BAKING and not seen_now and (measurement := measure(rollout, [traffic], now)):
            verdict = judge((*rollout.measurements, measurement), rollout.settings, rollout.steps)
            rollout = with_measurement(rollout, replace(measurement, verdict=verdict.kind))
        state = BalancerState(weights=rollout.weights, test=Colour.GREEN)
        wanted = replace(BEFORE, weights=rollout.weights)
        seen = Observation(wanted=wanted, asked=wanted.weights, balancer=state, verdict=verdict)
        decision = decide(rollout, seen, now)
        if isinstance(decision, Enter):
            rollout = decision.rollout
            traffic.begin(now)
        elif not isinstance(decision, Act):
            traffic.flow(decision.seconds, rollout.weights.of(rollout.colour))
            now += timedelta(seconds=decision.seconds)
    return rollout
