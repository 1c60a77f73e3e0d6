"""The sequential test: how strongly counts speak against a release, or for it. Pure arithmetic on logarithms.

Each value is the logarithm of a likelihood ratio, mixed over alternatives: its expectation is at most 1 while the hypothesis is true, at
every moment. So it exceeds 1/risk with at most that probability, however often and whenever it is looked at (Ville's inequality).
docs/decisions/sequential-judge.md has the reasons.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ALTERNATIVES = 10
SMALLEST_LIMIT = 1e-6
"""Stands for a limit of 0, which no count can prove."""
PEER_SHARE = 0.05
"""A live colour with fewer requests than this, per request of the candidate in the same stretch, is no peer."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Requests and the bad ones among them, of both colours."""

    requests: int = 0
    bad: int = 0
    live_requests: int = 0
    live_bad: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            requests=self.requests + other.requests,
            bad=self.bad + other.bad,
            live_requests=self.live_requests + other.live_requests,
            live_bad=self.live_bad + other.live_bad,
        )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is tested: a limit, how far above it a release must be seen, and what the live colour excuses."""

    limit: float
    factor: float
    excused: float
    """While the live colour itself is above the limit, a candidate up to this many times as bad is excused."""
    minimum: int
    """Requests that a live colour needs to be compared with."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of a bake. The test starts once more with each: good hours must not hide bad minutes."""

    counts: Counts
    weight: float
    """Of the start here, known before its first request. Those of all starts that can ever be sum up to at most 1."""


def evidence_against(stretches: Sequence[Stretch], rule: Rule) -> tuple[float, Counts]:
    """How strongly the release is worse than allowed, and the counts that say so the loudest.

    Where the live colour has traffic, it may excuse the release: of all bad requests together, the candidate's share is compared with its
    share of the requests, stretch by stretch. Where both become worse at a time of another division of traffic, sums over all the time
    would accuse the wrong one. What was excused stays so when the live colour has no traffic any more.
    """
    found: list[tuple[float, Counts]] = []
    whole = compared = alone = Counts()
    worse = {tolerated: [0.0] * ALTERNATIVES for tolerated in (1.0, rule.excused)}
    for stretch in reversed(stretches):
        part = stretch.counts
        whole = whole.plus(part)
        if part.live_requests >= max(PEER_SHARE * part.requests, 1):
            compared = compared.plus(part)
            for tolerated, values in worse.items():
                worse[tolerated] = [
                    value + _worse_than_live(part, tolerated, rule.factor**number)
                    for number, value in enumerate(values, 1)
                ]
        else:
            alone = alone.plus(part)
        value = _above_limit(whole, rule)
        if value > 0 and compared.live_requests >= max(rule.minimum, 1):
            live_is_bad = compared.live_bad > rule.limit * compared.live_requests
            value = min(value, _beyond_excuse(alone, worse[rule.excused if live_is_bad else 1.0], rule))
        found.append((math.log(stretch.weight) + value, whole))
    loudest = max(found, key=lambda each: each[0], default=(0.0, whole))[1]
    return _log_sum(value for value, _ in found), loudest


def evidence_for(whole: Counts, rule: Rule) -> float:
    """How strongly the release is better than `factor` times the limit: three alternatives below it, equally weighted."""
    bad_ratio = min(max(rule.limit, SMALLEST_LIMIT) * rule.factor, 0.95)
    good = (bad_ratio * share for share in (0.05, 0.25, 0.5))
    return _log_sum(_log_ratio(whole.requests, whole.bad, bad_ratio, ratio) - math.log(3) for ratio in good)


def _above_limit(counts: Counts, rule: Rule) -> float:
    limit = max(rule.limit, SMALLEST_LIMIT)
    if limit >= 1:
        return -math.inf
    return _log_sum(
        _log_ratio(counts.requests, counts.bad, limit, ratio) - _spread(number)
        for number, ratio in enumerate(_alternatives(rule), 1)
    )


def _beyond_excuse(alone: Counts, worse: Sequence[float], rule: Rule) -> float:
    """Compared with the live colour where that had traffic, and with the limit where the candidate was alone."""
    limit, ratios = max(rule.limit, SMALLEST_LIMIT), _alternatives(rule)
    return _log_sum(
        value + _log_ratio(alone.requests, alone.bad, limit, ratios[min(number, len(ratios)) - 1]) - _spread(number)
        for number, value in enumerate(worse, 1)
    )


def _worse_than_live(part: Counts, tolerated: float, worse: float) -> float:
    """Of all bad requests, the candidate's share by its requests against its share were each of them so many times worse."""
    weighed = tolerated * part.requests
    others = math.log((weighed + part.live_requests) / (worse * weighed + part.live_requests))
    return part.bad * (math.log(worse) + others) + part.live_bad * others


def _alternatives(rule: Rule) -> list[float]:
    """Factor, factor², factor³ … times the limit, as far as they are possible."""
    limit = max(rule.limit, SMALLEST_LIMIT)
    powers = [limit * rule.factor**number for number in range(1, ALTERNATIVES + 1)]
    return [ratio for ratio in powers if ratio < 0.95] or [(1 + limit) / 2]


def _spread(number: int) -> float:
    """The weights 1/2, 1/6, 1/12 … of the alternatives sum up to at most 1."""
    return math.log(number * (number + 1))


def _log_ratio(requests: int, bad: int, hypothesis: float, alternative: float) -> float:
    good = requests - bad
    return bad * math.log(alternative / hypothesis) + good * (math.log1p(-alternative) - math.log1p(-hypothesis))


def _log_sum(values: Iterable[float]) -> float:
    kept = list(values)
    highest = max(kept, default=-math.inf)
    return highest if math.isinf(highest) else highest + math.log(sum(math.exp(value - highest) for value in kept))
